package mounttest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

const keepsReading = "a disk that fails costs the cache only"

// TestTortureFullDiskByItself has the store fill its disk, since it may take more than
// there is; then the disk grows.
func TestTortureFullDiskByItself(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	made := 0
	for range trials(1, 30) {
		disk := smallDisk(t, "size=5m")
		m := daemon.Start(t, onDisk(t, s.URL("/"), disk, "--cache-size=1G"))
		pid, pairs := m.PID(), torturedPairs(m, dir)
		o := oracle(t, pairs, 1)
		allRight(t, pairs)
		awaitTrouble(t, m, "no space left on device", "make room")
		noFailure(t, o)
		sameDaemon(t, m, pid)
		must(t, remount(disk, 0, "size=64m"))
		noTrouble(t, m, pairs[0])
		allRight(t, pairs)
		sameDaemon(t, m, pid)
		fewWarnings(t, m, 10)
		m.Unmount()
		made++
	}
	promised(t, keepsReading, "the store fills it by itself", made)
}

// TestTortureFullDiskByNeighbour has a neighbour take the last byte, or the last
// inode, at any time of reading, replacing, evicting and checkpoints, and free them
// again. Now and then the daemon is killed, and starts on the full disk.
func TestTortureFullDiskByNeighbour(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	disk := smallDisk(t, "size=16m,nr_inodes=200")
	options := onDisk(t, s.URL("/"), disk, "--refresh=1s", "--cache-size=7M")
	m := daemon.Start(t, options)
	options.Dir = m.Dir
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 4))
	pid, made := m.PID(), 0
	bytes, names := filepath.Join(disk, "neighbour"), filepath.Join(disk, "names")
	free := func() {
		must(t, os.RemoveAll(names))
		must(t, os.RemoveAll(bytes))
	}
	nap := func() { time.Sleep(time.Duration(rng.IntN(150)) * time.Millisecond) }
	for i := range trials(4, 150) {
		o := oracle(t, torturedPairs(m, dir), rng.Uint64())
		for range 4 {
			nap()
			switch rng.IntN(3) {
			case 0:
				fillNames(t, names)
			case 1:
				fillNames(t, names)
				fill(t, bytes)
			default:
				fill(t, bytes)
			}
			if rng.IntN(2) == 0 {
				publishIn(t, dir, "replaced.img", fixture.Random(1<<20+rng.IntN(1<<20), rng.Uint64()))
			}
			_, _ = os.ReadFile(m.Path("replaced.img")) // what it has just now, or an error
			nap()
			if made++; rng.IntN(2) == 0 {
				free()
			}
		}
		noFailure(t, o)
		sameDaemon(t, m, pid)
		if i%3 == 2 {
			must(t, os.RemoveAll(names)) // the socket needs an inode
			fill(t, bytes)
			must(t, syscall.Kill(pid, syscall.SIGKILL))
			m = daemon.Start(t, options)
			pid = m.PID()
			allRight(t, torturedPairs(m, dir))
		}
		if t.Failed() {
			t.Fatalf("after %d times", made)
		}
	}
	free()
	allRight(t, append(torturedPairs(m, dir), pairOf(m, dir, "replaced.img")))
	noTrouble(t, m, pairOf(m, dir, tortured[4]))
	sameDaemon(t, m, pid)
	fewWarnings(t, m, 20+made)
	promised(t, keepsReading, "a neighbour takes the last bytes and inodes", made)
	m.Unmount()
}

// TestTortureFullDiskAtStart starts on a disk that is full already: a mount works, or
// says what to do, and then works.
func TestTortureFullDiskAtStart(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	made := 0
	starts := []struct {
		name   string
		used   bool // there is a store already
		killed bool // whose daemon was killed
		full   func(t *testing.T, path string)
	}{
		{"new, no room", false, false, fill},
		{"used, no inodes", true, false, fillNames},
		{"killed, no room", true, true, fill},
		{"new, no inodes", false, false, fillNames},
		{"used, no room", true, false, fill},
		{"killed, no inodes", true, true, fillNames},
	}
	for i := range trials(3, 60) {
		tt := starts[i%len(starts)]
		t.Run(tt.name, func(t *testing.T) {
			disk := smallDisk(t, "size=24m,nr_inodes=200")
			options := onDisk(t, s.URL("/"), disk)
			if tt.used {
				m := daemon.Start(t, options)
				allRight(t, torturedPairs(m, dir))
				if options.Dir = m.Dir; tt.killed {
					must(t, syscall.Kill(m.PID(), syscall.SIGKILL))
				} else {
					m.Unmount()
				}
			}
			neighbour := filepath.Join(disk, "neighbour")
			tt.full(t, neighbour)
			m := daemon.New(t, options)
			r := m.Try()
			t.Logf("%v", r)
			switch {
			case r.Code == 0:
				allRight(t, torturedPairs(m, dir))
				m.Unmount()
			case tt.used && tt.name != "used, no inodes": // then there is none for the socket
				t.Errorf("the store that is there does not open: %v", r)
			case !strings.Contains(r.Errors, "no space left on device") || !strings.Contains(r.Errors, "hint: make room"):
				t.Errorf("it does not say what to do: %v", r)
			}
			must(t, os.RemoveAll(neighbour))
			options.Dir = m.Dir
			m = daemon.Start(t, options)
			allRight(t, torturedPairs(m, dir))
			noTrouble(t, m, pairOf(m, dir, tortured[0]))
			m.Unmount()
		})
		made++
	}
	promised(t, keepsReading, "start on a full disk", made)
}

// TestTortureFullDiskReadOnly has the store's folder become read-only: under the
// daemon, which the kernel only does to a disk that failed, and before it starts.
func TestTortureFullDiskReadOnly(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	made := 0
	for range trials(1, 20) {
		disk := smallDisk(t, "size=24m")
		options := onDisk(t, s.URL("/"), disk)
		m := daemon.Start(t, options)
		pairs := torturedPairs(m, dir)
		if err := remount(disk, syscall.MS_RDONLY, ""); err == nil {
			t.Error("a file system with files open for writing became read-only")
		}
		allRight(t, pairs)
		m.Unmount()
		must(t, remount(disk, syscall.MS_RDONLY, ""))
		options.Dir = m.Dir
		other := options
		other.CacheDir = filepath.Join(disk, "new")
		for _, o := range []daemon.Options{options, other} {
			m = daemon.New(t, o)
			r := m.Try()
			if r.Code == 0 {
				t.Fatalf("it was mounted: %v", r)
			}
			if !strings.Contains(r.Errors, "read-only file system") || !strings.Contains(r.Errors, "hint: make that file system writable") {
				t.Errorf("it does not say what to do: %v", r)
			}
		}
		must(t, remount(disk, 0, ""))
		m = daemon.Start(t, options)
		s.Stop() // what was there is there
		must(t, readcheck.Whole(pairOf(m, dir, tortured[3])))
		s.Restart()
		m.Unmount()
		made++
	}
	promised(t, keepsReading, "start on a read-only disk", made)
}

// TestTortureFullDiskFolderRemoved removes the store's folder under the daemon.
func TestTortureFullDiskFolderRemoved(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/"), quiet...)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 5))
	made := 0
	for range trials(2, 100) {
		pid, pairs := m.PID(), torturedPairs(m, dir)
		o := oracle(t, pairs, rng.Uint64())
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		eventually(t, "the folder is removed", func() error { return os.RemoveAll(m.CacheDir) })
		allRight(t, pairs)
		noFailure(t, o)
		sameDaemon(t, m, pid)
		// Another daemon begins in the same folder, beside the old one.
		next := daemon.Start(t, daemon.Options{Binary: binary(t), Source: s.URL("/"), CacheDir: m.CacheDir, Flags: slices.Clone(quiet)})
		allRight(t, torturedPairs(next, dir))
		allRight(t, pairs)
		m.Unmount()
		noTrouble(t, next, pairOf(next, dir, tortured[0]))
		m = next
		made++
		if t.Failed() {
			t.Fatalf("after %d times", made)
		}
	}
	promised(t, keepsReading, "the store's folder removed", made)
	m.Unmount()
}
