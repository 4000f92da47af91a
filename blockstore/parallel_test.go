package blockstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// TestParallel has all methods called at once; every read must be right.
func TestParallel(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{CheckpointInterval: time.Millisecond, CheckpointBytes: 10000})
	must(t, err)
	m := makeTarget(t, 1, 800*512+9, 512)
	v := m.open(t, s)
	must(t, v.PutControl(m.control[:1000], 0))
	var workers sync.WaitGroup
	work := func(seed uint64, f func(rng *rand.Rand)) {
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 0))
			for range 400 {
				f(rng)
			}
		})
	}
	at := 1000
	work(1, func(*rand.Rand) {
		end := min(at+97, len(m.control))
		if err := v.PutControl(m.control[at:end], int64(at)); err != nil {
			t.Error(err)
		}
		at = end
	})
	for i := range uint64(2) {
		work(10+i, func(rng *rand.Rand) {
			b := format.BlockID(rng.Int64N(int64(m.count())))
			if err := v.Put(b, m.blocks(b, min(b+7, m.count()))); err != nil && !errors.Is(err, ErrUnknownRecords) {
				t.Error(err)
			}
		})
		work(20+i, func(rng *rand.Rand) {
			off, n := rng.IntN(len(m.data)), rng.IntN(9000)
			got := make([]byte, n)
			n, err := v.ReadAt(got, int64(off))
			if !bytes.Equal(got[:n], m.data[off:off+n]) {
				t.Errorf("wrong bytes at %d", off)
			}
			var damaged *DamagedError
			if errors.As(err, &damaged) {
				t.Error(err)
			}
		})
	}
	work(30, func(rng *rand.Rand) {
		b := format.BlockID(rng.Int64N(int64(m.count())))
		must(t, v.Forget(format.BlockRange{Start: b, End: b + 3}))
		v.Known(b, m.count())
		v.KnownCount()
		v.ControlMissing()
		v.SetState(State(rng.IntN(3)))
		v.Records(format.BlockRange{Start: b, End: b + 1})
		v.ID()
		s.Stats()
	})
	work(40, func(*rand.Rand) {
		w := m.open(t, s)
		s.MetaPut("k", m.data[:50])
		s.MetaGet("k")
		must(t, w.Close())
	})
	workers.Wait()
	must(t, v.PutControl(m.control, 0))
	m.heal(t, v)
	must(t, v.Close())
	must(t, s.Close())
	s, w := openStore(t, dir)
	v = m.open(t, s)
	if got := m.checkAll(t, v); got != int(m.count()) || w.count() != 0 {
		t.Errorf("%d blocks after a restart; %v", got, w.all)
	}
	must(t, v.Close())
}

// TestStoreCloseAtOnce closes the store under those who use it.
func TestStoreCloseAtOnce(t *testing.T) {
	m := makeTarget(t, 1, 3000, 512)
	for range 5 {
		s, _ := openStore(t, t.TempDir())
		var workers sync.WaitGroup
		for range 3 {
			workers.Go(func() {
				for {
					v, err := s.OpenVersion(m.raw, m.header, testPlace)
					if err != nil {
						if err != ErrClosed {
							t.Error(err)
						}
						return
					}
					v.PutControl(m.control, 0)
					v.Put(0, m.data)
					s.MetaPut("k", nil)
					v.Close()
				}
			})
		}
		must(t, s.MetaPut("a", nil))
		must(t, s.Close())
		workers.Wait()
	}
}

// TestOpenClose has versions opened, written, discarded and closed at once.
func TestOpenClose(t *testing.T) {
	s, err := Open(t.TempDir(), Options{CheckpointInterval: time.Millisecond})
	must(t, err)
	targets := []*target{makeTarget(t, 1, 3000, 512), makeTarget(t, 2, 3000, 512)}
	var workers sync.WaitGroup
	for i := range uint64(4) {
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(i, 0))
			for range 40 {
				m := targets[rng.IntN(2)]
				v, err := s.OpenVersion(m.raw, m.header, testPlace)
				if err != nil {
					t.Error(err)
					return
				}
				v.PutControl(m.control, 0)
				v.Put(0, m.data)
				m.checkAll(t, v)
				if rng.IntN(4) == 0 {
					v.Discard()
				}
				if err := v.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	nothingOpen(t, s)
	must(t, s.Close())
}
