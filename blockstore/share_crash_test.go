package blockstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

const crashShareDir = "BLOCKSTORE_TEST_CRASH_SHARE_DIR"

// relatives are targets of which most blocks are the same.
func relatives(t testing.TB) []*target {
	out := []*target{makeTarget(t, 1, 300*1024+5, 1024)}
	for i := range 3 {
		out = append(out, out[i].changed(t, uint64(i+2), 20))
	}
	return out
}

// churn puts, shares, gathers, forgets and removes versions until stop is closed.
// It returns what it did not expect, wrong bytes above all.
func churn(t testing.TB, s *Store, targets []*target, seed uint64, stop <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(seed, 5))
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		i, j := rng.IntN(len(targets)), rng.IntN(len(targets))
		if err := churnStep(t, s, targets[i], targets[j], rng); err != nil && !expected(err) {
			return err
		}
	}
}

func expected(err error) bool {
	for _, e := range []error{ErrFull, ErrInUse, ErrNotFound, ErrUnknownBlock, ErrUnknownRecords} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func churnStep(t testing.TB, s *Store, m, donor *target, rng *rand.Rand) error {
	v, err := s.OpenVersion(m.raw, m.header, testPlace)
	if err != nil {
		return err
	}
	w, err := s.OpenVersion(donor.raw, donor.header, testPlace)
	if err != nil {
		return errors.Join(err, v.Close())
	}
	for range 1 + rng.IntN(8) {
		b := format.BlockID(rng.Int64N(int64(m.count())))
		end := min(b+20, m.count())
		switch rng.IntN(10) {
		case 0:
			err = v.Gather(context.Background())
		case 1:
			err = s.Remove(w.Key())
		case 2:
			err = v.Forget(format.BlockRange{Start: b, End: end})
		case 3:
			_, err = s.Collect()
		case 4, 5, 6:
			if err = v.PutControl(m.control, 0); err == nil && m != donor {
				_, err = v.Share(w, sameBlocks(m, donor))
			}
		case 7, 8:
			if err = v.PutControl(m.control, 0); err == nil {
				err = v.Put(b, m.blocks(b, end))
			}
		default:
			err = v.Checkpoint()
		}
		if err != nil && !expected(err) {
			return fmt.Errorf("%w, %v", err, errors.Join(v.Close(), w.Close()))
		}
		m.checkAll(t, v)
	}
	return errors.Join(v.Close(), w.Close())
}

// sameBlocks are the blocks of m that donor has at the same place.
func sameBlocks(m, donor *target) (runs []Shared) {
	for b := format.BlockID(0); b < m.count(); b++ {
		if string(m.blocks(b, b+1)) == string(donor.blocks(b, b+1)) {
			runs = append(runs, Shared{Blocks: format.BlockRange{Start: b, End: b + 1}, Off: m.header.Geometry().Offset(b)})
		}
	}
	return runs
}

// checkStore opens the store in dir as after a crash, holds all that it has against
// targets, heals it, and holds what it says it takes against the disk.
func checkStore(t *testing.T, dir string, targets []*target) (blocks int) {
	t.Helper()
	s, _ := openStore(t, dir)
	defer s.Close()
	var open []*Version
	for _, m := range targets {
		v := m.open(t, s)
		open = append(open, v)
		blocks += m.checkAll(t, v)
	}
	// What is put may take bytes away from others that referred to them: they heal
	// in the next round.
	for range targets {
		for i, m := range targets {
			m.heal(t, open[i])
			must(t, open[i].Gather(context.Background()))
		}
	}
	for i, m := range targets {
		m.same(t, open[i])
		must(t, open[i].Close())
	}
	_, err := s.Collect()
	must(t, err)
	s.checkpoint()
	says, takes := s.Stats(), roomOf(dir)
	if off := says.DiskBytes - takes; off < -64<<10 || off > 64<<10 {
		t.Errorf("the store says that it takes %d bytes, it takes %d", says.DiskBytes, takes)
	}
	whole := int64(0)
	for _, m := range targets {
		whole += int64(len(m.data))
	}
	if says.DataBytes+says.SharedBytes != whole || says.Versions != len(targets) {
		t.Errorf("%+v, of %d bytes in %d versions", says, whole, len(targets))
	}
	if n := s.setAsideRoom(); n != 0 {
		t.Errorf("%d bytes are set aside", n)
	}
	return blocks
}

// TestCopyWhileSharing copies the folder while versions share, are gathered, removed
// and evicted, which is about what a power cut leaves.
func TestCopyWhileSharing(t *testing.T) {
	for name, limit := range map[string]int64{"unlimited": 0, "limited": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			dir, targets := t.TempDir(), relatives(t)
			s, err := Open(dir, Options{CheckpointInterval: 3 * time.Millisecond, Limits: Limits{Size: limit}})
			must(t, err)
			stop := make(chan struct{})
			var done sync.WaitGroup
			end := sync.OnceFunc(func() { close(stop); done.Wait() })
			defer end()
			for i := range uint64(3) {
				done.Go(func() {
					if err := churn(t, s, targets, i, stop); err != nil {
						t.Error(err)
					}
				})
			}
			for i := range 6 {
				time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond)
				to := filepath.Join(t.TempDir(), "copy")
				copyTree(t, dir, to)
				t.Logf("copy %d: %d blocks", i, checkStore(t, to, targets))
			}
			end()
			if n := s.claimCount(); n != 0 {
				t.Errorf("%d claims are left", n)
			}
			must(t, s.Close())
			if n := s.segmentCount(); n != 0 {
				t.Errorf("%d files are left open", n)
			}
			checkStore(t, dir, targets)
		})
	}
}

func (s *Store) claimCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.claims)
}

func (s *Store) segmentCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.segments)
}

// crashShareWriter goes on until it is killed.
func crashShareWriter(dir string) {
	s, err := Open(dir, Options{CheckpointInterval: 2 * time.Millisecond})
	if err == nil {
		t := &testing.B{}
		targets := relatives(t)
		fmt.Println("begun")
		go func() {
			if err := churn(t, s, targets, uint64(os.Getpid()), nil); err != nil {
				fmt.Println("error:", err)
				os.Exit(1)
			}
		}()
		err = churn(t, s, targets, uint64(os.Getpid())+1, nil)
	}
	fmt.Println("error:", err)
	os.Exit(1)
}

// TestKillSharing kills a process whose versions share, at any time.
func TestKillSharing(t *testing.T) {
	dir, targets := t.TempDir(), relatives(t)
	for cycle := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashShareDir+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Error(lines.Text())
			} else {
				time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
				must(t, cmd.Process.Signal(syscall.SIGKILL))
			}
		}
		cmd.Wait()
		t.Logf("cycle %d: %d blocks", cycle, checkStore(t, dir, targets))
	}
}

// TestGatherAtOnce: versions that have the same blocks and are gathered at once all come
// to an end.
func TestGatherAtOnce(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	targets := relatives(t)
	var open []*Version
	for i, m := range targets {
		v := m.open(t, s)
		must(t, v.PutControl(m.control, 0))
		if i > 0 {
			_, err := v.Share(open[i-1], sameBlocks(m, targets[i-1]))
			must(t, err)
		}
		m.putWhole(t, v)
		must(t, v.Checkpoint())
		open = append(open, v)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, v := range open {
		all.Go(func() {
			if err := v.Gather(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, m := range targets {
		m.same(t, open[i])
		must(t, open[i].Close())
	}
}

// TestSharersAfterKill: after a kill between the file of shared runs and the index's log
// the store knows who shares, so that these lose nothing when the owner goes or gives its
// blocks away.
func TestSharersAfterKill(t *testing.T) {
	for _, how := range []string{"remove", "gather", "booked before"} {
		t.Run(how, func(t *testing.T) {
			m := makeTarget(t, 1, 100*4096, 4096)
			next, third := m.changed(t, 2, 20), m.changed(t, 3, 20)
			dir := t.TempDir()
			s, _ := openStore(t, dir)
			v, v2, v3 := m.open(t, s), next.open(t, s), third.open(t, s)
			m.fill(t, v)
			must(t, v2.PutControl(next.control, 0))
			must(t, v3.PutControl(third.control, 0))
			shareAligned(t, v3, v, third, m)
			third.putWhole(t, v3)
			must(t, errors.Join(v.Checkpoint(), v2.Checkpoint(), v3.Checkpoint()))
			must(t, s.Keep(v2.key, true))
			must(t, s.syncIndex())
			shareAligned(t, v2, v, next, m)
			next.putWhole(t, v2)
			v2.folder.Lock()
			var err error
			if how == "booked before" { // as by a checkpoint that began before it shared
				err = v2.settle(0)
			}
			err = errors.Join(err, v2.checkpoint()) // killed before the commit
			v2.folder.Unlock()
			must(t, err)
			crashed := crash(t, dir)
			must(t, errors.Join(v.Close(), v2.Close(), v3.Close(), s.Close()))

			s, w := openStore(t, crashed)
			if how != "gather" {
				within(t, "it goes", func() bool { return !errors.Is(s.Remove(m.key()), ErrInUse) })
			} else {
				v3 = third.open(t, s)
				must(t, v3.Gather(t.Context()))
				must(t, v3.Close())
			}
			v2 = next.open(t, s)
			if n := next.checkAll(t, v2); n != int(next.count()) {
				t.Errorf("one that is kept has %d blocks of %d: %v", n, next.count(), w.all)
			}
			must(t, errors.Join(v2.Close(), s.Close()))
		})
	}
}
