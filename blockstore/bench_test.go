package blockstore

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

func benchVersion(b *testing.B) (*target, *Version) {
	m := makeTarget(b, 1, 64<<20, 4096)
	s, err := Open(b.TempDir(), Options{CheckpointInterval: time.Hour, CheckpointBytes: 1 << 40})
	must(b, err)
	v := m.open(b, s)
	must(b, v.PutControl(m.control, 0))
	b.Cleanup(func() { v.Close(); s.Close() })
	return m, v
}

// BenchmarkReadAt reads blocks that are checked; compare with Pread.
func BenchmarkReadAt(b *testing.B) {
	m, v := benchVersion(b)
	must(b, v.Put(0, m.data))
	for _, n := range []int{4096, 128 << 10} {
		p := make([]byte, n)
		read := func(name string, f func(off int64) error) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 2))
				b.SetBytes(int64(n))
				for b.Loop() {
					must(b, f(rng.Int64N(int64(len(m.data)-n))))
				}
			})
		}
		read("ReadAt", func(off int64) error { _, err := v.ReadAt(p, off); return err })
		read("Pread", func(off int64) error { _, err := v.parts.data.ReadAt(p, off); return err })
	}
}

// BenchmarkFirstRead reads blocks that must be checked.
func BenchmarkFirstRead(b *testing.B) {
	m, v := benchVersion(b)
	must(b, v.Put(0, m.data))
	p := make([]byte, 128<<10)
	b.SetBytes(int64(len(p)))
	off := int64(0)
	for b.Loop() {
		if off == 0 {
			v.table.checked.clear(0, v.table.blocks)
		}
		_, err := v.ReadAt(p, off)
		must(b, err)
		off = (off + int64(len(p))) % int64(len(m.data))
	}
}

func BenchmarkPut(b *testing.B) {
	for _, blocks := range []format.BlockID{1, 64} {
		b.Run(fmt.Sprint(blocks), func(b *testing.B) {
			m, v := benchVersion(b)
			b.SetBytes(int64(blocks) * 4096)
			at := format.BlockID(0)
			for b.Loop() {
				if at+blocks > m.count() {
					at = 0
					must(b, v.Forget(m.header.Geometry().All()))
				}
				must(b, v.Put(at, m.blocks(at, at+blocks)))
				at += blocks
			}
		})
	}
}

// BenchmarkKnown scans the map of a 5 GiB image.
func BenchmarkKnown(b *testing.B) {
	v := &Version{table: newTable(format.Geometry{Length: 5 << 30, BlockSize: 4096})}
	end := format.BlockID(v.table.blocks)
	for b.Loop() {
		v.Known(0, end)
	}
}

// BenchmarkOpen opens a store of 10,000 versions.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(dir, Options{})
	must(b, err)
	var set []entry
	for i := range 10000 {
		key := Key{byte(i), byte(i >> 8)}
		name := provisionalName(key)
		must(b, os.Mkdir(s.versionsDir()+"/"+name, 0o700))
		set = append(set, keyEntry(key, name), accountEntry(name, account{key: key}))
	}
	must(b, s.commitIndex(set))
	must(b, s.Close())
	for b.Loop() {
		s, err := Open(dir, Options{})
		must(b, err)
		if s.Stats().Versions != 10000 {
			b.Fatal(s.Stats())
		}
		must(b, s.Close())
	}
}

// BenchmarkOpenVersion opens and closes versions of 1, 10 and 50 GiB in blocks of 4
// KiB, of which nothing, one block or all is here.
func BenchmarkOpenVersion(b *testing.B) {
	for _, here := range []string{"none", "one", "all"} {
		for _, gib := range []int64{1, 10, 50} {
			b.Run(fmt.Sprintf("%s/%dGiB", here, gib), func(b *testing.B) {
				b.ReportAllocs()
				s, err := Open(b.TempDir(), Options{CheckpointInterval: time.Hour})
				must(b, err)
				defer s.Close()
				m := sparseTarget(b, gib<<30)
				blocks := m.header.Geometry().BlockCount()
				known := map[string]int64{"none": 0, "one": 1, "all": blocks}[here]
				m.adopt(b, s, format.BlockRange{Start: format.BlockID(blocks - known), End: format.BlockID(blocks)})
				for b.Loop() {
					v := m.open(b, s)
					if v.KnownCount() != known {
						b.Fatalf("%d blocks", v.KnownCount())
					}
					must(b, v.Close())
				}
			})
		}
	}
}

// sparseTarget is a target of which there is only a header.
func sparseTarget(b *testing.B, length int64) *target {
	m := targetOf(b, 1, nil, 4096)
	m.raw = bytes.Replace(m.raw, []byte("Length: 0"), fmt.Append(nil, "Length: ", length), 1)
	h, err := format.ReadHeader(bufio.NewReader(bytes.NewReader(m.raw)))
	must(b, err)
	m.header = h
	return m
}

// adopt makes the folder of a version whose control file is whole and whose blocks r
// are here, as far as an open can tell.
func (m *target) adopt(b *testing.B, s *Store, r format.BlockRange) {
	key, length, blocks := HeaderKey(m.raw, m.header, testPlace), m.header.ControlLength(), m.header.Geometry().BlockCount()
	name := ID{1}.String()
	dir := s.versionsDir() + "/" + name + "/"
	must(b, os.Mkdir(dir, 0o700))
	meta := versionMeta{
		key: key, geometry: m.header.Geometry(), controlLength: length,
		have: extents{{End: length}}, sums: make([]uint32, sumCount(length)),
	}
	must(b, os.WriteFile(dir+metaName, meta.encode(), 0o600))
	must(b, os.WriteFile(dir+controlName, m.raw, 0o600))
	must(b, os.WriteFile(dir+dataName, nil, 0o600))
	must(b, os.Truncate(dir+dataName, m.header.Length))
	f, err := os.Create(dir + knownName)
	must(b, err)
	defer f.Close()
	own := newBitset(blocks)
	own.set(int64(r.Start), int64(r.End))
	for i := int64(r.Start) / pageBlocks; r.Count() > 0 && i*pageBlocks < int64(r.End); i++ {
		p := knownPage{number: i, data: make([]byte, pageSize)}
		encodePage(p.data, own, i, key)
		_, err := f.WriteAt(p.data, i*pageSize)
		must(b, err)
	}
	must(b, s.commitIndex([]entry{keyEntry(key, name), accountEntry(name, account{key: key})}))
}

// BenchmarkMeta puts a header of 600 bytes and makes it durable.
func BenchmarkMeta(b *testing.B) {
	s, err := Open(b.TempDir(), Options{CheckpointInterval: time.Hour})
	must(b, err)
	defer s.Close()
	value := make([]byte, 600)
	b.Run("Put", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			must(b, s.MetaPut(fmt.Sprint("header", i%10000), value))
		}
	})
	b.Run("PutCheckpoint", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			must(b, s.MetaPut(fmt.Sprint("header", i%10000), value))
			must(b, s.commitIndex(nil))
		}
	})
	b.Run("Get", func(b *testing.B) {
		must(b, s.MetaPut("header", value))
		for b.Loop() {
			_, err := s.MetaGet("header")
			must(b, err)
		}
	})
}
