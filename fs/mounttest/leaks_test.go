package mounttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/footprint"
)

// What is promised is that nothing leaks: a daemon that has done something a thousand
// times holds no more than when it had done it once. So each test makes a round of what it
// does, takes the footprint of the daemon as the base, makes many more rounds, and wants
// the footprint of the base back.

// restPatience is how long a daemon may take to come to rest: targets linger for 15 s
// after their last reader, idle connections for 90 s, and a busy machine takes its time.
const restPatience = 4 * time.Minute

// leakRoom is what a daemon may hold more than before, however much it did. The heap has
// buffers of requests, of which each processor keeps one of 1 MiB, and badger's tables,
// which are merged when there are enough of them; among its objects are the last errors,
// of which a thousand are remembered, with their paths, so that none is logged twice. The log of the index
// grows by 1 MiB before it is made anew. Memory and threads that the Go runtime has once
// taken it keeps.
// Of goroutines there are as many of each kind as before, but for those of go-fuse that
// take the next request in turn, and those of badger that write; of sockets some belong
// to who asks.
var leakRoom = footprint.Room{
	Heap: 3 << 20, Objects: 2500, Resident: 48 << 20, Disk: 3 << 20, Threads: 24,
	Of: map[string]int{"fuse.(*Server).loop": 2, "badger": 2, "/index": 1, "socket": 2},
}

var plainOnce = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(base, "plain")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return daemon.Build(dir, false)
})

// watched is a daemon whose footprint is taken.
type watched struct {
	t   *testing.T
	m   *daemon.Mount
	pid int
}

// watch mounts source until the end of the test. The program is not the race detector's,
// whose own memory grows by 250 bytes with each look-up.
func watch(t *testing.T, source string, flags ...string) *watched {
	t.Helper()
	program, err := plainOnce()
	must(t, err)
	m := daemon.Start(t, daemon.Options{Binary: program, Source: source, Flags: append(flags, "--pprof")})
	return &watched{t, m, m.PID()}
}

// now is the footprint of the daemon, whatever it does.
func (w *watched) now() *footprint.Footprint {
	w.t.Helper()
	f, err := footprint.Of(w.pid, w.m.CacheDir)
	must(w.t, err)
	return f
}

// base is the footprint to come back to. With all trials the daemon has come to rest for
// it, so that it is as little as can be. The few trials of every day do not have the time:
// what lingers hides a leak that is smaller.
func (w *watched) base() *footprint.Footprint {
	w.t.Helper()
	f := w.now()
	if trials(0, 1) == 1 {
		eventuallyIn(w.t, restPatience, "the daemon comes to rest", func() error {
			w.empty()
			f = w.now()
			return resting(f)
		})
	}
	w.t.Logf("base: %v", f)
	return f
}

// resting is nil when nothing lingers that will go by itself.
func resting(f *footprint.Footprint) error {
	for began, n := range f.Goroutines {
		if strings.Contains(began, "persistConn") {
			return fmt.Errorf("%d goroutines of idle connections", n)
		}
	}
	for place, n := range f.Files {
		if strings.Contains(place, "/versions/") {
			return fmt.Errorf("%d of %s", n, place)
		}
	}
	return nil
}

// empty has the store let go of all that nobody uses.
func (w *watched) empty() {
	w.t.Helper()
	const inUse = 10
	r := daemon.Command(w.t, w.m.Command("cache", "--cache-dir", w.m.CacheDir, "rm", "--all"))
	if r.Code != 0 && r.Code != inUse {
		w.t.Errorf("cache rm --all: %v", r)
	}
}

// backAt waits until the daemon holds no more than base and room, and fails the test with
// what has grown when that does not come.
func (w *watched) backAt(base *footprint.Footprint, room footprint.Room) {
	w.t.Helper()
	for deadline := time.Now().Add(restPatience); ; time.Sleep(time.Second) {
		w.empty()
		now := w.now()
		grown := now.Grown(base, room)
		if len(grown) == 0 {
			w.t.Logf("back: %v", now)
			return
		}
		if time.Now().After(deadline) {
			w.t.Errorf("the daemon holds more than it did: %v; it was %v\n%s", now, base, strings.Join(grown, "\n"))
			w.explain()
			return
		}
	}
}

// explain prints what the daemon is doing, and what is on its heap.
func (w *watched) explain() {
	if text, err := footprint.Live(w.m.CacheDir); err == nil {
		w.t.Logf("what is alive on the heap:\n%s", text)
	}
	if text, err := footprint.Profile(w.m.CacheDir, "goroutine?debug=1"); err == nil {
		w.t.Logf("%.20000s", text)
	}
}

// forgetNames has the kernel drop all names of m that no program uses, and with them the
// inodes: remounting does that, of one file system, and changes nothing else.
func forgetNames(t *testing.T, m *daemon.Mount) {
	t.Helper()
	flags := uintptr(unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	if err := unix.Mount("", m.Dir, "", flags, ""); err != nil {
		t.Fatal(fmt.Errorf("remount %s, so that names are forgotten: %w", m.Dir, err))
	}
}
