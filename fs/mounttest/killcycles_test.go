package mounttest

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// TestTortureKills kills the daemon at random times of reading, fetching, evicting and
// checkpoints, again and again, with one store: no wrong byte, and the next mount needs
// no help.
func TestTortureKills(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: dir, BytesPerSecond: 20 << 20})
	flags := []string{smallStore, "--refresh=1h", "--read-deadline=4s"}
	m := mount(t, s.URL("/"), flags...)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))
	made := 0
	for i := range trials(50, 2000) {
		o := oracle(t, torturedPairs(m, dir), rng.Uint64())
		time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond) // at any time of what goes on
		pids := m.PIDs()
		if len(pids) != 1 {
			t.Fatalf("after %d kills: processes %v", i, pids)
		}
		must(t, syscall.Kill(pids[0], syscall.SIGKILL))
		if i%3 == 0 { // now and then the next daemon is killed while it starts
			start := m.Command(m.Args()...)
			must(t, start.Start())
			time.Sleep(time.Duration(rng.IntN(150)) * time.Millisecond)
			killAll(t, m)
			_ = start.Wait() // it was killed, or the daemon that it waited for
			killAll(t, m)    // what it started before its end
		}
		end(t, o, hang)
		made++
		m = again(t, m, s.URL("/"), flags...)
		if t.Failed() {
			t.Fatalf("after %d kills", made)
		}
		if i%10 == 9 {
			allRight(t, torturedPairs(m, dir))
		}
	}
	allRight(t, torturedPairs(m, dir))
	promised(t, "crash safe", "kill -9 at random times", made)
	m.Unmount()
}

// killAll kills the processes of m until there are none: one may start another.
func killAll(t *testing.T, m *daemon.Mount) {
	t.Helper()
	eventually(t, "killed", func() error {
		for _, pid := range m.PIDs() {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		return noProcess(m)
	})
}
