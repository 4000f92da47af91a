package mounttest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/faulty"
)

// soakVariable is how long the soak goes on, as "2h30m". Default: an hour, of all trials.
const soakVariable = "ZSYNCFS_SOAK"

// TestTortureSoak has a daemon do everything at once for long, with a server that does
// something wrong to one reply in twenty, and wants it to be as it was in the end.
func TestTortureSoak(t *testing.T) {
	t.Parallel()
	needMount(t)
	long := time.Duration(trials(5, 3600)) * time.Second
	if text := os.Getenv(soakVariable); text != "" {
		var err error
		long, err = time.ParseDuration(text)
		must(t, err)
	}
	c := newChurn(t, 12, 12)
	p := faulty.Start(t, serve(t, c.dir).URL(""), 1)
	w := watch(t, p.URL("/"), smallStore, "--refresh=300ms", "--read-deadline=4s")
	m := w.m
	s := &soak{churn: c, proxy: p, m: m, w: w}
	s.round()
	base := w.base()
	rounds := 0
	for began, told := time.Now(), time.Now(); time.Since(began) < long; rounds++ {
		s.round()
		if t.Failed() {
			t.Fatalf("after %d rounds", rounds)
		}
		if time.Since(told) > time.Minute {
			t.Logf("%d rounds: %v", rounds, w.now())
			told = time.Now()
		}
	}
	hits, replies := p.Hits()
	t.Logf("%d rounds: %d opens, %d mounts, %d gets; of %d replies were broken: %v",
		rounds, s.opens.Load(), s.mounts.Load(), s.gets.Load(), replies, hits)
	allRight(t, c.pairs(m))
	room := leakRoom
	room.Objects = 8000 // warnings and errors that are told once: 4096 and 1000 texts at most
	w.backAt(base, room)
	promised(t, "nothing leaks", fmt.Sprintf("everything at once for %v: opens", long), int(s.opens.Load()))
	m.Unmount()
}

// soak does things to the daemon of m.
type soak struct {
	*churn
	proxy *faulty.Proxy
	m     *daemon.Mount
	w     *watched

	opens, mounts, gets atomic.Int64 // what came to something
}

// round does everything once, side by side.
func (s *soak) round() {
	s.proxy.Break(0.05, faulty.Kinds()...)
	defer s.proxy.Break(0)
	for i := range s.changes {
		if s.rng.IntN(3) == 0 {
			s.replace(i)
		}
	}
	emptied, killed := s.rng.IntN(2) == 0, time.Duration(s.rng.IntN(300))*time.Millisecond
	var all sync.WaitGroup
	for range 2 {
		rng := rand.New(rand.NewPCG(s.rng.Uint64(), 1))
		all.Go(func() { s.look(rng) })
	}
	all.Go(s.list)
	all.Go(s.get)
	all.Go(s.mountAnother)
	s.killed(s.m, killed)
	if emptied {
		s.w.empty() // also what others are reading
	}
	all.Wait()
}

// look opens what changes, and looks for what is not there.
func (s *soak) look(rng *rand.Rand) {
	for range 20 {
		if err := s.open(s.m, rng); err != nil {
			s.t.Error(err)
		}
		s.opens.Add(1)
		_, _ = os.Lstat(s.m.Path(fmt.Sprintf("nothing-%d", rng.Uint64())))
	}
}

func (s *soak) list() {
	entries, err := os.ReadDir(s.m.Dir)
	if passing(err) != nil {
		s.t.Error(err)
	}
	for _, e := range entries {
		_, _ = e.Info()
	}
}

// get fetches a file through the daemon, and is killed now and then.
func (s *soak) get() {
	out := filepath.Join(s.t.TempDir(), "out")
	cmd := s.m.Command("get", "--cache-dir", s.m.CacheDir, s.proxy.URL("/"+s.stay[0]+".zsync"), "-o", out)
	if err := cmd.Start(); err != nil {
		s.t.Error(err)
		return
	}
	kill := time.AfterFunc(time.Duration(rand.IntN(4000))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if cmd.Wait() == nil {
		s.gets.Add(1)
	}
}

// mountAnother adds a mount to the daemon, reads there, and takes it away.
func (s *soak) mountAnother() {
	dir := s.t.TempDir()
	run := func(args ...string) error {
		if out, err := s.m.Command(args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", args, err, out)
		}
		return nil
	}
	if run("mount", "--cache-dir", s.m.CacheDir, "--refresh=300ms", "--read-deadline=4s", s.proxy.URL("/"), dir) != nil {
		return // for what the server did
	}
	s.mounts.Add(1)
	// Not by this process: each program that it starts has its open files for a moment.
	_ = exec.Command("cat", filepath.Join(dir, s.stay[len(s.stay)-1])).Run()
	if err := run("umount", dir); err != nil {
		s.t.Error(err)
		_ = exec.Command("fusermount3", "-u", "-z", dir).Run()
	}
}
