package mounttest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// TestFullDisk keeps the store on a small disk that a neighbour fills up.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	needMount(t)
	needRoot(t)
	dir := folder(t)
	names := []string{"first.img", "second.img", "small.txt"}
	for i, n := range []int{8 << 20, 20 << 20, 50_000} {
		path := filepath.Join(dir, names[i])
		must(t, os.WriteFile(path, fixture.Random(n, uint64(i)+1), 0o644))
		must(t, fixture.Make(binary(t), path))
	}
	disk := smallDisk(t, "size=16m")
	s := serve(t, dir)
	pair := func(m *daemon.Mount, name string) readcheck.Pair {
		return readcheck.Pair{Got: m.Path(name), Want: filepath.Join(dir, name)}
	}
	options := daemon.Options{
		Binary: binary(t), Source: s.URL("/"), CacheDir: filepath.Join(disk, "cache"),
	}
	// Up to the brim: with its limits the store would give room back instead.
	options.Flags = append(slices.Clone(quiet), "--cache-size=0", "--cache-min-free=0")
	m := daemon.Start(t, options)
	must(t, readcheck.Whole(pair(m, names[0])))
	m.Unmount() // what was read is on the disk for good
	options.Dir = m.Dir
	m = daemon.Start(t, options)
	filler := filepath.Join(disk, "neighbour")
	fill(t, filler)
	pid := m.PID()
	for range 2 {
		for _, name := range names { // one that is here, and two that were never opened
			if err := readcheck.Whole(pair(m, name)); err != nil {
				t.Errorf("%s on a full disk: %v", name, err)
			}
		}
	}
	if now := m.PID(); now != pid {
		t.Errorf("the daemon changed from %d to %d", pid, now)
	}
	m.Unmount()

	// A store on a full disk opens, and has what it had.
	s.Stop()
	m = daemon.Start(t, options)
	if err := readcheck.Whole(pair(m, names[0])); err != nil {
		t.Errorf("without server and room: %v", err)
	}
	s.Restart()
	must(t, os.Remove(filler))
	if err := readcheck.Whole(pair(m, names[2])); err != nil {
		t.Errorf("with room again: %v", err)
	}
	eventually(t, "blocks are kept again", func() error {
		if err := readcheck.Whole(pair(m, names[2])); err != nil {
			return err
		}
		if n, err := xattr(m.Path(names[2]), "user.zsync.blocks-local"); n == "0" || err != nil {
			return fmt.Errorf("%s blocks are here; %v", n, err)
		}
		return nil
	})
	m.Unmount()
}
