package mounttest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// TestDamagedControlFile: a control file came damaged, and is right on the server, with
// the same validators: "not modified" is the truth, and of no use. Reads fail and then,
// without a remount, are right; where only records were damaged, also those of a file
// that is open.
func TestDamagedControlFile(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	path := filepath.Join(dir, "t.img")
	data := fixture.Random(1<<20, 1)
	must(t, os.WriteFile(path, data, 0o644))
	must(t, fixture.Make(binary(t), path))
	right, err := os.ReadFile(path + ".zsync")
	must(t, err)
	for name, damage := range map[string]func([]byte) []byte{
		"a record": func(p []byte) []byte { p[len(p)-1] ^= 1; return p },
		"SHA-1": func(p []byte) []byte {
			at := bytes.Index(p, []byte("\nSHA-1: ")) + len("\nSHA-1: ")
			p[at] = "10"[bytes.IndexByte([]byte("01"), p[at])&1^1]
			return p
		},
		"Length": func(p []byte) []byte { return bytes.Replace(p, []byte("1048576"), []byte("1048566"), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := damage(bytes.Clone(right))
			if bytes.Equal(wrong, right) {
				t.Fatal("nothing is damaged")
			}
			s := rangetest.New()
			must(t, s.Start())
			t.Cleanup(s.Stop)
			modified := time.Now().Add(-time.Hour)
			publish := func(control []byte) {
				s.Put("/t.img.zsync", control)
				s.SetValidators("/t.img.zsync", `"one"`, modified)
			}
			s.Put("/t.img", data)
			publish(wrong)
			m := mount(t, s.URL("/t.img.zsync"), "--refresh=1s", "--read-deadline=2s")
			pair := readcheck.Pair{Got: m.Path("t.img"), Want: path}
			held, err := os.Open(pair.Got)
			must(t, err)
			defer held.Close()
			must(t, readAll(held, data))
			eventually(t, "the damage shows", func() error {
				if err := readcheck.DropPages(pair.Got); err != nil {
					return nil
				}
				if err := readcheck.Whole(pair); err == nil {
					return errors.New("it reads well")
				}
				return nil
			})
			publish(right)
			eventually(t, "it is right", func() error { return readcheck.Whole(pair) })
			if name == "a record" {
				eventually(t, "the open file is right", func() error {
					if err := readAll(held, data); err != nil {
						return err
					}
					_, err := held.ReadAt(make([]byte, 10), int64(len(data)-10))
					return err
				})
			}
		})
	}
}

// readAll reads f as far as it can be read. What it reads must be data's.
func readAll(f *os.File, data []byte) error {
	p := make([]byte, 4096)
	for off := 0; off < len(data); off += len(p) {
		n, _ := f.ReadAt(p, int64(off))
		if !bytes.Equal(p[:n], data[off:][:n]) {
			return fmt.Errorf("wrong bytes in %s", strconv.Quote(f.Name()))
		}
	}
	return nil
}
