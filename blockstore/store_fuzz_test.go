package blockstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// storedFile is a file of a store, by its path in the folder.
type storedFile struct {
	path    string
	key     Key // of its version
	content []byte
}

// everyFile makes a store that has each kind of file, with a verified version, one
// that refers to it, and one with part of its control file, and returns what it
// consists of.
func everyFile(f *testing.F) (files []storedFile, targets []*target) {
	const blockSize = 512
	dir := f.TempDir()
	s, _ := openStore(f, dir)
	one := makeTarget(f, 1, 20*blockSize+5, blockSize)
	two := one.changed(f, 2, 3)
	first := one.open(f, s)
	one.fill(f, first)
	one.verify(f, first)
	second := two.open(f, s)
	must(f, second.PutControl(two.control, 0))
	shareAligned(f, second, first, two, one)
	three := makeTarget(f, 3, 20*blockSize, blockSize)
	third := three.open(f, s)
	must(f, third.PutControl(three.control[:len(three.control)*2/3], 0))
	must(f, third.Put(0, three.blocks(0, 5)))
	must(f, s.MetaPut("key", []byte("value")))
	must(f, s.PutSketch(first.Key(), []byte("12345678")))
	keys := map[string]Key{}
	for _, v := range []*Version{first, second, third} {
		must(f, v.Checkpoint())
		v.folder.Lock()
		keys[v.path()] = v.key
		v.folder.Unlock()
		must(f, v.Close())
	}
	must(f, s.Close())
	kinds := map[string]bool{}
	must(f, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		p, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files = append(files, storedFile{rel, keys[filepath.Dir(path)], p})
		kinds[d.Name()] = true
		return err
	}))
	for _, kind := range []string{lockName, formatName, "log", controlName, dataName, knownName, sharedName, manifestName, placeName, metaName} {
		if !kinds[kind] {
			f.Fatalf("there is no file %q in %v", kind, kinds)
		}
	}
	return files, []*target{one, two, three}
}

// fixed gives p the checksums that it should have, as a forger would.
func (s storedFile) fixed(p []byte) []byte {
	switch filepath.Base(s.path) {
	case "log":
		return fixLog(p)
	case metaName, sharedName:
		if len(p) >= 4 {
			return appendSum(bytes.Clone(p[:len(p)-4]))
		}
	case knownName, manifestName:
		p = bytes.Clone(p)
		for page := p; len(page) >= pageSize; page = page[pageSize:] {
			binary.LittleEndian.PutUint32(page[pageSize-4:], pageSum(page[:pageSize], s.key))
		}
	}
	return p
}

// FuzzStore writes patch into one file of a store, at off, and ends it there when cut
// is set. No byte is wrong that is read afterwards; and unless checksums were forged
// (fix), all heals by what is put again.
func FuzzStore(f *testing.F) {
	files, targets := everyFile(f)
	for i, file := range files {
		for _, off := range []int{0, 9, 20, 60, len(file.content) / 2, len(file.content) - 5} {
			f.Add(uint8(i), uint32(max(off, 0)), []byte{0xff, 0, 0x80}, false, false)
			f.Add(uint8(i), uint32(max(off, 0)), []byte{1}, off == 20, true)
		}
		f.Add(uint8(i), uint32(0), []byte{}, true, false)
		f.Add(uint8(i), uint32(len(file.content)), bytes.Repeat([]byte{7}, 5000), false, true)
	}
	f.Fuzz(func(t *testing.T, which uint8, off uint32, patch []byte, cut, fix bool) {
		dir := t.TempDir()
		harmed := files[int(which)%len(files)]
		for _, file := range files {
			p := file.content
			if file.path == harmed.path {
				at := int(off) % (len(p) + 1)
				rest := p[min(at+len(patch), len(p)):]
				if cut {
					rest = nil
				}
				p = append(append(bytes.Clone(p[:at]), patch...), rest...)
				if fix {
					p = file.fixed(p)
				}
			}
			path := filepath.Join(dir, file.path)
			must(t, os.MkdirAll(filepath.Dir(path), 0o700))
			must(t, os.WriteFile(path, p, 0o600))
		}
		s, err := Open(dir, Options{CheckpointInterval: time.Hour})
		if err != nil {
			if filepath.Base(harmed.path) != formatName {
				t.Fatalf("%s: %v", harmed.path, err)
			}
			return // of a newer program, say
		}
		defer s.Close()
		for _, m := range targets {
			v := m.open(t, s)
			m.checkAll(t, v)
			if !fix {
				m.heal(t, v)
			}
			must(t, v.Close())
		}
		if _, err := s.AllEntries(); err != nil {
			t.Error(err)
		}
		if _, err := s.MetaGet("key"); err != nil && !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		must(t, s.Sketches(func(Key, []byte) {}))
		must(t, s.Close())
	})
}
