package mounttest

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// TestTortureKills kills the daemon at random times of reading, fetching, evicting and
// checkpoints, again and again, with one store: no wrong byte, the next mount needs
// no help, and the store does not grow.
func TestTortureKills(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := crashFolder(t)
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: dir, BytesPerSecond: 20 << 20})
	count := trials(15, 985) // TestTortureFailpoints makes the others of 50, and of 2000
	var made atomic.Int64
	inLanes(t, trials(1, 4), func(t *testing.T, lane, lanes int) {
		l := newCrashLane(t, binary(t), s.URL("/"), dir, "")
		for i := lane; i < count; i += lanes {
			l.killed(i%3 == 0)
			made.Add(1)
			if i/lanes%10 == 9 {
				l.startsAgain()
			}
		}
		l.end()
	})
	promised(t, "crash safe", "kill -9 at random times", int(made.Load()))
}

// killed mounts, reads in every way, and kills the daemon at a random time; with twice,
// the next daemon as well while it starts.
func (l *crashLane) killed(twice bool) {
	t := l.t
	t.Helper()
	m := daemon.New(t, l.options())
	if r := m.Try(); r.Code != 0 {
		t.Fatalf("zsyncfs mount after %s: %v", l.last, r)
	}
	o := oracle(t, l.pairs, l.rng.Uint64())
	time.Sleep(time.Duration(l.rng.IntN(400)) * time.Millisecond) // at any time of what goes on
	m.Signal(syscall.SIGKILL)
	l.last = "kill -9 while files were read"
	if twice {
		start := m.Command(m.Args()...)
		must(t, start.Start())
		time.Sleep(time.Duration(l.rng.IntN(150)) * time.Millisecond)
		killAll(t, m)
		_ = start.Wait() // it was killed, or the daemon that it waited for
		killAll(t, m)    // what it started before its end
		l.last = "kill -9 while a daemon started"
	}
	end(t, o, hang)
	if t.Failed() {
		t.Fatalf("after %s", l.last)
	}
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
