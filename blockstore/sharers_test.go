package blockstore

import (
	"context"
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

// sharing opens m and next in s, the blocks of which m's file has are shared.
func sharing(t *testing.T, s *Store, m, next *target) (v, v2 *Version) {
	t.Helper()
	v, v2 = m.open(t, s), next.open(t, s)
	m.fill(t, v)
	must(t, v2.PutControl(next.control, 0))
	if n := shareAligned(t, v2, v, next, m); n == 0 {
		t.Fatal("nothing is shared")
	}
	next.putWhole(t, v2)
	must(t, v.Checkpoint())
	must(t, v2.Checkpoint())
	return v, v2
}

// TestSharersStayKnown: who had all in his own file, and shares again, loses nothing when
// the other goes.
func TestSharersStayKnown(t *testing.T) {
	for name, apart := range map[string]func(v, v2 *Version){
		"gathered to and fro": func(v, v2 *Version) {
			must(t, v2.Gather(context.Background()))
			must(t, v.Gather(context.Background()))
		},
		"copied": func(v, v2 *Version) {
			old, err := v.OpenData(context.Background())
			must(t, err)
			data, err := v2.OpenData(context.Background())
			must(t, err)
			must(t, data.Close())
			must(t, old.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := makeTarget(t, 1, 400*4096, 4096)
			next := m.changed(t, 2, 20)
			s, _ := openStore(t, t.TempDir())
			v, v2 := sharing(t, s, m, next)
			apart(v, v2)
			must(t, v2.Forget(v2.geometry().All()))
			if n := shareAligned(t, v2, v, next, m); n == 0 {
				t.Fatal("nothing is shared")
			}
			next.putWhole(t, v2)
			must(t, v.Close())
			must(t, s.Remove(v.key))
			next.same(t, v2)
			must(t, v2.Close())
			v2 = next.open(t, s)
			next.same(t, v2)
			must(t, v2.Close())
		})
	}
}

// TestLookAtFolderThatCloses: who looks whether a file is in memory does nothing to the
// folder of a version that is being closed.
func TestLookAtFolderThatCloses(t *testing.T) {
	m := makeTarget(t, 1, 40*4096, 4096)
	s, w := openStore(t, t.TempDir())
	key := m.key()
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			s.moving.Lock()
			s.pinned(key)
			s.moving.Unlock()
		}
	})
	for range 100 {
		v := m.open(t, s)
		m.fill(t, v)
		must(t, v.SetVerified(v.Losses()))
		if err := v.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		v = m.open(t, s)
		if v.KnownCount() != 40 || v.State() != Verified {
			t.Errorf("opened again %d of 40 blocks are here, %v", v.KnownCount(), v.State())
		}
		must(t, v.Discard())
		must(t, v.Close())
		if t.Failed() {
			break
		}
	}
	close(stop)
	looking.Wait()
	if w.count() > 0 {
		t.Errorf("warnings: %v", w.all)
	}
}

// TestKeptSharerOfMapped: a file that a program has in memory does not go when a version
// that is kept has blocks there, and there is no room for copies.
func TestKeptSharerOfMapped(t *testing.T) {
	m := makeTarget(t, 1, 400*4096, 4096)
	next := m.changed(t, 2, 20)
	s, _ := openStore(t, t.TempDir())
	v, v2 := sharing(t, s, m, next)
	view := mapData(t, v, len(m.data))
	defer unix.Munmap(view)
	must(t, s.Keep(v2.key, true))
	must(t, v.Close())
	s.SetLimits(Limits{Size: s.Stats().DiskBytes + 100<<10})
	s.evictFor(500 << 10)
	if err := s.Remove(v.key); !errors.Is(err, ErrInUse) {
		t.Errorf("Remove: %v", err)
	}
	next.same(t, v2)
	must(t, s.Keep(v2.key, false))
	if err := s.Remove(v.key); err != nil && !errors.Is(err, ErrNotFound) { // the evictor may be first
		t.Error(err)
	}
	must(t, v2.Close())
}

// TestShareOfVerifiedByPieces: what has to be read goes by pieces, and all of it.
func TestShareOfVerifiedByPieces(t *testing.T) {
	const size = 256 << 10
	m := makeTarget(t, 1, 80*size+77, size)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	m.fill(t, v)
	m.verify(t, v)
	twin := targetOf(t, 2, append(m.data[:len(m.data):len(m.data)], 1), size)
	u := twin.open(t, s)
	twin.fill(t, u)
	must(t, v.Forget(v.geometry().All()))
	runs := []Shared{
		{Blocks: format.BlockRange{Start: 0, End: 10}, Checked: true},
		{Blocks: format.BlockRange{Start: 11, End: 78}, Off: 11 * size},
		{Blocks: format.BlockRange{Start: 79, End: 81}, Off: 79 * size, Checked: true},
	}
	some, rest := v.nextRuns(runs)
	if len(some) != 2 || some[1].Blocks.End != 65 || len(rest) != 2 || rest[0].Off != 65*size || rest[0].Checked {
		t.Errorf("first %v, then %v", some, rest)
	}
	if n, err := v.Share(u, runs); err != nil || n != 79 || v.State() != Verified {
		t.Errorf("%d blocks, %v, it is %v", n, err, v.State())
	}
	must(t, v.Put(10, m.blocks(10, 11)))
	must(t, v.Put(78, m.blocks(78, 79)))
	m.same(t, v)
	must(t, v.Close())
	must(t, u.Close())
}

// TestPendingAfterEpoch: the room of what was moved in vain is given back.
func TestPendingAfterEpoch(t *testing.T) {
	m := makeTarget(t, 1, 400*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	v, v2 := sharing(t, s, m, m.changed(t, 2, 20))
	s.moving.Lock()
	batch, x := v2.nextBatch(nil, 1<<20)
	x.from, x.to, x.twice = s.watch(v.parts.data), s.watch(v2.parts.data), true
	x.epoch-- // as after a checkpoint that failed, and one that did not
	_, err := v2.copyIn(batch, x)
	x.from.end()
	x.to.end()
	s.moving.Unlock()
	if !errors.Is(err, errEpoch) {
		t.Errorf("a move in vain: %v", err)
	}
	must(t, v2.Checkpoint())
	must(t, v.Close())
	must(t, v2.Close())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending != 0 {
		t.Errorf("%d bytes are set aside", s.pending)
	}
}

// TestSameBytesAgain: bytes that are written over by the same ones are not taken from those
// who refer to them.
func TestSameBytesAgain(t *testing.T) {
	t.Run("put", func(t *testing.T) {
		m := makeTarget(t, 1, 100*4096, 4096)
		next := m.changed(t, 2, 20)
		s, _ := openStore(t, t.TempDir())
		v, v2 := sharing(t, s, m, next)
		before := v2.Shares()
		must(t, v.Forget(v.geometry().All())) // a repair
		must(t, v.Replace(0, m.data))
		if n := v2.Shares(); n != before || n == 0 {
			t.Errorf("%d blocks of %d are shared still", n, before)
		}
		next.same(t, v2)
		must(t, errors.Join(v.Close(), v2.Close()))
	})
	t.Run("gather", func(t *testing.T) {
		a := makeTarget(t, 1, 100*4096, 4096)
		b, c := targetOf(t, 2, a.data, 4096), targetOf(t, 3, a.data, 4096)
		s, _ := openStore(t, t.TempDir())
		v, o, w := a.open(t, s), b.open(t, s), c.open(t, s)
		a.fill(t, v)
		b.fill(t, o)
		must(t, w.PutControl(c.control, 0))
		shareAligned(t, w, v, c, a)
		must(t, v.Forget(v.geometry().All()))
		shareAligned(t, v, o, a, b)
		must(t, v.Gather(t.Context()))
		if n := w.KnownCount(); n != 100 {
			t.Errorf("another has %d blocks of 100", n)
		}
		c.same(t, w)
		must(t, errors.Join(v.Close(), o.Close(), w.Close()))
	})
}

// TestDiscardTwice: to discard what was discarded before does nothing to the version that
// has its Key by then.
func TestDiscardTwice(t *testing.T) {
	for _, how := range []string{"open", "closed"} {
		t.Run(how, func(t *testing.T) {
			m := makeTarget(t, 1, 2000*4096, 4096)
			next := m.changed(t, 2, 20)
			s, w := openStore(t, t.TempDir())
			a, b := m.open(t, s), m.open(t, s) // two mounts
			must(t, a.Discard())
			if how == "closed" {
				must(t, errors.Join(a.Close(), b.Close()))
			}
			v, v2 := sharing(t, s, m, next)
			v.Hold()
			v2.Hold()
			data, err := v.OpenData(t.Context())
			must(t, err)
			s.mu.Lock()
			s.limits = Limits{Size: s.usedLocked() + 100<<10}
			s.mu.Unlock()
			before := v2.KnownCount()
			if err := b.Discard(); err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			if n := v2.KnownCount(); n != before {
				t.Errorf("%d blocks of %d are left: %v", n, before, w.all)
			}
			must(t, errors.Join(data.Close(), v.Close(), v2.Close()))
			if how == "open" {
				must(t, errors.Join(a.Close(), b.Close()))
			}
		})
	}
}
