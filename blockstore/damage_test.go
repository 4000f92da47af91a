package blockstore

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

// harm does one kind of damage to a file.
var harms = map[string]func(t *testing.T, path string, rng *rand.Rand){
	"flip": func(t *testing.T, path string, rng *rand.Rand) {
		p, err := os.ReadFile(path)
		must(t, err)
		if len(p) > 0 {
			p[rng.IntN(len(p))] ^= 1 << rng.IntN(8)
		}
		must(t, os.WriteFile(path, p, 0o600))
	},
	"truncate": func(t *testing.T, path string, rng *rand.Rand) {
		info, err := os.Stat(path)
		must(t, err)
		must(t, os.Truncate(path, rng.Int64N(info.Size()+1)))
	},
	"empty":  func(t *testing.T, path string, _ *rand.Rand) { must(t, os.Truncate(path, 0)) },
	"delete": func(t *testing.T, path string, _ *rand.Rand) { must(t, os.Remove(path)) },
	"folder": func(t *testing.T, path string, _ *rand.Rand) {
		must(t, os.Remove(path))
		must(t, os.Mkdir(path, 0o700))
	},
	"symlink": func(t *testing.T, path string, _ *rand.Rand) {
		must(t, os.Remove(path))
		must(t, os.Symlink("/etc/passwd", path))
	},
	"pipe": func(t *testing.T, path string, _ *rand.Rand) {
		must(t, os.Remove(path))
		must(t, unix.Mkfifo(path, 0o600))
	},
	"random": func(t *testing.T, path string, rng *rand.Rand) {
		p, err := os.ReadFile(path)
		must(t, err)
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		must(t, os.WriteFile(path, p, 0o600))
	},
	"longer": func(t *testing.T, path string, rng *rand.Rand) {
		p, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, append(p, bytes.Repeat([]byte{0xff}, 5000)...), 0o600))
	},
}

// damageBlocks gives control files of two pages.
const damageBlocks = 1500

// prepare makes a store with a whole version and a provisional one.
func prepare(t *testing.T, dir string, blocks int) (whole, part *target) {
	whole, part = makeTarget(t, 1, blocks*512+7, 512), makeTarget(t, 2, blocks*512+7, 512)
	s, _ := openStore(t, dir)
	v := whole.open(t, s)
	whole.fill(t, v)
	must(t, v.Close())
	v = part.open(t, s)
	must(t, v.PutControl(part.control[:len(part.control)*2/3], 0))
	must(t, v.Put(10, part.blocks(10, format.BlockID(blocks/2))))
	must(t, v.Close())
	must(t, s.MetaPut("k", []byte("value")))
	must(t, s.Close())
	return whole, part
}

func TestDamage(t *testing.T) {
	golden := t.TempDir()
	whole, part := prepare(t, golden, damageBlocks)
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(len(name))))
			for _, file := range []string{controlName, dataName, knownName, metaName} {
				times := 1
				if name == "flip" {
					times = 4
				}
				for range times {
					dir := t.TempDir()
					copyTree(t, golden, dir)
					found, _ := filepath.Glob(filepath.Join(dir, versionsName, "*", file))
					if len(found) != 2 {
						t.Fatalf("%d files %s", len(found), file)
					}
					for _, path := range found {
						harm(t, path, rng)
					}
					s, _ := openStore(t, dir)
					for _, m := range []*target{whole, part} {
						v := m.open(t, s)
						m.checkAll(t, v)
						m.heal(t, v)
						must(t, v.Close())
						v = m.open(t, s)
						if got := m.checkAll(t, v); got != int(m.count()) {
							t.Errorf("%s: %d of %d blocks after healing", file, got, m.count())
						}
						if _, ok := v.ID(); !ok {
							t.Errorf("%s: no ID after healing", file)
						}
						must(t, v.Close())
					}
					must(t, s.Close())
				}
			}
		})
	}
}

// TestDamageLive does the damage while the version is open and unchecked.
func TestDamageLive(t *testing.T) {
	dir := t.TempDir()
	whole, _ := prepare(t, dir, damageBlocks)
	for _, file := range []string{controlName, dataName, knownName, metaName} {
		for _, name := range []string{"flip", "truncate", "random", "delete", "folder", "symlink", "pipe"} {
			s, _ := openStore(t, dir)
			v := whole.open(t, s)
			harms[name](t, filepath.Join(v.path(), file), rand.New(rand.NewPCG(3, 4)))
			whole.checkAll(t, v)
			whole.heal(t, v)
			must(t, v.Close())
			must(t, s.Close())
			s, _ = openStore(t, dir)
			v = whole.open(t, s)
			whole.checkAll(t, v)
			whole.heal(t, v)
			must(t, v.Close())
			must(t, s.Close())
		}
	}
}

func TestSwappedFiles(t *testing.T) {
	golden := t.TempDir()
	whole, part := prepare(t, golden, damageBlocks)
	for _, file := range []string{controlName, dataName, knownName, metaName, "."} {
		dir := t.TempDir()
		copyTree(t, golden, dir)
		found, _ := filepath.Glob(filepath.Join(dir, versionsName, "*"))
		a, b := filepath.Join(found[0], file), filepath.Join(found[1], file)
		temp := filepath.Join(dir, "temp")
		must(t, os.Rename(a, temp))
		must(t, os.Rename(b, a))
		must(t, os.Rename(temp, b))
		s, _ := openStore(t, dir)
		for _, m := range []*target{whole, part} {
			v := m.open(t, s)
			m.checkAll(t, v)
			m.heal(t, v)
			must(t, v.Close())
		}
		must(t, s.Close())
	}
}

// TestVersionsElsewhere: what has the name of the folder of versions is neither waited
// for nor gone through.
func TestVersionsElsewhere(t *testing.T) {
	elsewhere := t.TempDir()
	for name, make := range map[string]func(string) error{
		"pipe": func(path string) error { return unix.Mkfifo(path, 0o600) },
		"link": func(path string) error { return os.Symlink(elsewhere, path) },
		"file": func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		dir := t.TempDir()
		s, _ := openStore(t, dir)
		must(t, s.Close())
		must(t, os.Remove(filepath.Join(dir, versionsName)))
		must(t, make(filepath.Join(dir, versionsName)))
		if _, err := Open(dir, Options{}); !errors.Is(err, ErrIrregular) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPipes: no file of a store is waited for when a pipe has its name. Without the
// format and the lock nothing goes on; any other is only lost.
func TestPipes(t *testing.T) {
	golden := t.TempDir()
	whole, part := prepare(t, golden, damageBlocks)
	must(t, os.WriteFile(filepath.Join(golden, formatName+".new"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(golden, probeName), nil, 0o600))
	folders, err := filepath.Glob(filepath.Join(golden, versionsName, "*"))
	must(t, err)
	for _, dir := range folders { // those that these versions do without
		for _, name := range []string{sharedName, sharedTemp, metaTempName, shownName, manifestName, manifestTemp} {
			must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
		}
	}
	must(t, filepath.WalkDir(golden, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(golden, path)
		must(t, err)
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyTree(t, golden, dir)
			harms["pipe"](t, filepath.Join(dir, name), nil)
			s, err := Open(dir, Options{Warn: func(error) {}})
			if name == formatName || name == lockName {
				if !errors.Is(err, ErrIrregular) {
					t.Fatal(err)
				}
				return
			}
			must(t, err)
			for _, m := range []*target{whole, part} {
				v := m.open(t, s)
				m.checkAll(t, v)
				m.heal(t, v)
				if got := m.checkAll(t, v); got != int(m.count()) {
					t.Errorf("%d of %d blocks after healing", got, m.count())
				}
				must(t, v.Close())
			}
			must(t, s.Close())
		})
		return nil
	}))
}
