package mounttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// publishIn puts data into the folder dir as name, with a control file.
func publishIn(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path, data, 0o644))
	must(t, fixture.Make(binary(t), path))
}

// pairOf is the file name in m and in the folder dir.
func pairOf(m *daemon.Mount, dir, name string) readcheck.Pair {
	return readcheck.Pair{Got: m.Path(name), Want: filepath.Join(dir, name)}
}

// updated is data after an update: some parts changed, some bytes put in.
func updated(data []byte, seed uint64) []byte {
	out := bytes.Clone(data)
	for i := range 5 {
		at := (i*2 + 1) * len(out) / 11
		copy(out[at:], fixture.Random(3000, seed+uint64(i)))
	}
	middle := len(out)/2 + 17
	return slices.Concat(out[:middle], fixture.Random(1001, seed+99), out[middle:])
}

// contentOf is how many bytes of the file name the server sent.
func contentOf(t *testing.T, s *webserver.Server, name string) (data int64) {
	t.Helper()
	for _, r := range s.Log(t) {
		if r.Path == "/"+name {
			data += r.Bytes
		}
	}
	return data
}

// TestVersionsShareBlocks: a second version that appears in the mounted directory
// costs what is new in it, and the store keeps each block once.
func TestVersionsShareBlocks(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	one := fixture.Random(12<<20, 1)
	two := updated(one, 7)
	publishIn(t, dir, "disk-1.img", one)
	s := serve(t, dir)
	m := mount(t, s.URL("/"), "--refresh=1s")
	must(t, readcheck.Whole(pairOf(m, dir, "disk-1.img")))
	publishIn(t, dir, "disk-2.img", two)
	eventually(t, "the second version shows", func() error {
		_, err := os.Stat(m.Path("disk-2.img"))
		return err
	})
	must(t, readcheck.Whole(pairOf(m, dir, "disk-2.img")))
	if n := contentOf(t, s, "disk-2.img"); n == 0 || n > 200_000 {
		t.Errorf("%d bytes of the second version were fetched", n)
	}
	eventually(t, "the newest is whole, the other refers to it", func() error {
		shared, err := xattr(m.Path("disk-1.img"), "user.zsync.blocks-shared")
		if n, _ := strconv.Atoi(shared); n < 2000 {
			return fmt.Errorf("%s blocks are shared; %v", shared, err)
		}
		shared, err = xattr(m.Path("disk-2.img"), "user.zsync.blocks-shared")
		if shared != "0" {
			return fmt.Errorf("the newest shares %s blocks; %v", shared, err)
		}
		state, err := xattr(m.Path("disk-2.img"), "user.zsync.state")
		if state != "verified" {
			return fmt.Errorf("it is %s; %v", state, err)
		}
		return nil
	})
	// All of it can be read without the server, also after the newest was removed.
	out := daemon.Command(t, m.Command("cache", "--cache-dir", m.CacheDir, "ls"))
	if !strings.Contains(out.String(), "2 versions") {
		t.Errorf("cache ls: %v", out)
	}
	m.Unmount()
	s.Stop()
	m = again(t, m, s.URL("/"), "--refresh=1s")
	for _, name := range []string{"disk-1.img", "disk-2.img"} {
		must(t, readcheck.Whole(pairOf(m, dir, name)))
	}
	m.Unmount()
	if r := daemon.Command(t, m.Command("cache", "--cache-dir", m.CacheDir, "rm", "disk-2.img")); r.Code != 0 {
		t.Errorf("cache rm: %v", r)
	}
	m = again(t, m, s.URL("/"), "--refresh=1s")
	must(t, readcheck.Whole(pairOf(m, dir, "disk-1.img")))
	m.Unmount()
}

// roomOf is how much room the folder dir takes on the disk, in bytes.
func roomOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				n += info.Sys().(*syscall.Stat_t).Blocks * 512
			}
		}
		return nil // files come and go
	})
	return n
}

// unlike is a name that is like no other's, so that nothing is looked for.
func unlike(i int) string {
	sum := sha256.Sum256([]byte{byte(i)})
	return hex.EncodeToString(sum[:12])
}

// TestChurnOverTheLimit reads ten times as much as the store may take, beside
// readers of files that stay open.
func TestChurnOverTheLimit(t *testing.T) {
	t.Parallel()
	needMount(t)
	const limit, length, files = 12 << 20, 2 << 20, 62
	dir := folder(t)
	for i := range files {
		publishIn(t, dir, unlike(i), fixture.Random(length, uint64(i)+1))
	}
	s := serve(t, dir)
	// The file system knows what it has given at one moment; who adds up files that come
	// and go meanwhile counts some twice.
	disk := smallDisk(t, "size=64m")
	m := daemon.Start(t, onDisk(t, s.URL("/"), disk, fmt.Sprintf("--cache-size=%d", limit)))
	var most atomic.Int64
	stop := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			n, err := givenBy(disk)
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), n))
		}
	})
	for i := range 2 { // readers of files that they have open all the time
		beside.Go(func() {
			name := unlike(i)
			f, err := os.Open(m.Path(name))
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			want := fixture.Random(length, uint64(i)+1)
			got := make([]byte, 64<<10)
			for off := int64(0); ; off = (off + 7*int64(len(got))) % (length - int64(len(got))) {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				if _, err := f.ReadAt(got, off); err != nil || !bytes.Equal(got, want[off:][:len(got)]) {
					t.Errorf("a reader of an open file: %v", err)
					return
				}
			}
		})
	}
	for i := 2; i < files; i++ {
		must(t, readcheck.Whole(pairOf(m, dir, unlike(i))))
	}
	close(stop)
	beside.Wait()
	if n := most.Load(); n > limit+limit/50 {
		t.Errorf("the store took %d bytes, with a limit of %d", n, limit)
	}
	m.Unmount()
}

// TestPinAndSeed: zsyncfs pin completes a file that nobody opened, with the help of
// a seed, and it is there without the server.
func TestPinAndSeed(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, seeds := folder(t), folder(t)
	one := fixture.Random(6<<20, 3)
	must(t, os.WriteFile(filepath.Join(seeds, "disk-1.img"), one, 0o644))
	publishIn(t, dir, "disk-2.img", updated(one, 5))
	publishIn(t, dir, "disk-3.img", updated(updated(one, 5), 6))
	s := serve(t, dir)
	m := mount(t, s.URL("/"), "--seed="+seeds, "--fill=off")
	must(t, readcheck.Whole(pairOf(m, dir, "disk-2.img")))
	if n := contentOf(t, s, "disk-2.img"); n == 0 || n > 400_000 {
		t.Errorf("with a seed %d bytes were fetched", n)
	}
	if r := daemon.Command(t, m.Command("pin", "--cache-dir", m.CacheDir, s.URL("/disk-3.img.zsync"))); r.Code != 0 {
		t.Fatalf("pin: %v", r)
	}
	if n := contentOf(t, s, "disk-3.img"); n == 0 || n > 200_000 {
		t.Errorf("pin fetched %d bytes", n)
	}
	if _, err := os.Stat(m.Path("disk-3.img")); err != nil { // the mount must know it
		t.Error(err)
	}
	s.Stop()
	must(t, readcheck.Whole(pairOf(m, dir, "disk-3.img")))
	if r := daemon.Command(t, m.Command("cache", "--cache-dir", m.CacheDir, "verify")); r.Code != 0 || !strings.Contains(r.String(), ", 0 damaged") {
		t.Errorf("verify: %v", r)
	}
	m.Unmount()
}

// TestSeedFolderHoldsMount: a folder of seeds in which the mount point lies is used but for
// that: the daemon does not read what it serves.
func TestSeedFolderHoldsMount(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, seeds := folder(t), folder(t)
	data := fixture.Random(16<<20, 1)
	must(t, os.WriteFile(filepath.Join(seeds, "disk-0.img"), data[:8<<20], 0o644))
	publishIn(t, dir, "disk-1.img", data)
	s := serve(t, dir)
	at := filepath.Join(seeds, "mnt")
	must(t, os.Mkdir(at, 0o755))
	m := daemon.Start(t, daemon.Options{Binary: binary(t), Source: s.URL("/"), Dir: at, Flags: []string{"--seed=" + seeds, "--fill=off"}})
	readAt(t, m.Path("disk-1.img"), 12<<20, 4096)
	eventually(t, "the seed is used", func() error {
		value, err := xattr(m.Path("disk-1.img"), "user.zsync.blocks-local")
		if blocks, _ := strconv.Atoi(value); err == nil && blocks < 8<<20/4096 {
			err = fmt.Errorf("%d blocks are here", blocks)
		}
		return err
	})
	if n := contentOf(t, s, "disk-1.img"); n > 1<<20 {
		t.Errorf("%d bytes were fetched for a read of 4096", n)
	}
}
