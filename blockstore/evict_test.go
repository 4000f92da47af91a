package blockstore

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// roomOf is how much room the folder dir takes on the disk.
func roomOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil && !d.IsDir() {
				n += diskBytes(info)
			}
		}
		return nil // files come and go
	})
	return n
}

// TestChurn puts five times the limit through a store while versions are in use.
func TestChurn(t *testing.T) {
	const blockSize, blocks, limit = 4096, 512, 16 << 20
	dir := t.TempDir()
	s, err := Open(dir, Options{Limits: Limits{Size: limit}, CheckpointBytes: 1 << 20, Warn: func(err error) { t.Error(err) }})
	must(t, err)
	defer s.Close()
	var most atomic.Int64
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			if n := roomOf(dir); n > most.Load() {
				most.Store(n)
			}
		}
	})
	// Two are in use all the time: what they have stays.
	var held []*target
	var open []*Version
	for i := range 2 {
		m := makeTarget(t, uint64(1000+i), blocks*blockSize, blockSize)
		v := m.open(t, s)
		v.Hold()
		m.fill(t, v)
		held, open = append(held, m), append(open, v)
	}
	var last *target
	for i := range 5 * limit / (blocks * blockSize) {
		m := makeTarget(t, uint64(i), blocks*blockSize, blockSize)
		if last != nil && i%3 == 0 {
			m = last.changed(t, uint64(i), 10)
		}
		v := m.open(t, s)
		v.Hold()
		must(t, v.PutControl(m.control, 0))
		if last != nil && i%3 == 0 {
			donor := last.open(t, s)
			shareAligned(t, v, donor, m, last)
			must(t, donor.Close())
		}
		for b := format.BlockID(0); b < m.count(); b += 16 {
			if err := v.Put(b, m.blocks(b, b+16)); err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
		}
		m.right(t, v)
		v.Release()
		must(t, v.Close())
		last = m
		for k, m := range held {
			if n := open[k].KnownCount(); n != blocks {
				t.Fatalf("a version in use has %d blocks left", n)
			}
			b := format.BlockID(rand.IntN(blocks))
			got := make([]byte, blockSize)
			if _, err := open[k].ReadAt(got, int64(b)*blockSize); err != nil || !bytes.Equal(got, m.blocks(b, b+1)) {
				t.Fatalf("a version in use: %v", err)
			}
		}
	}
	close(stop)
	watch.Wait()
	// A batch that is handed over is there twice for a moment, and who looks at one file
	// after the other may see another one twice.
	if n := most.Load(); n > limit+limit/50+2*leastBatch {
		t.Errorf("the store took %d bytes, with a limit of %d", n, limit)
	}
	for _, v := range open {
		v.Release()
		must(t, v.Close())
	}
	s.mu.Lock()
	pending, used := s.pending, s.usedLocked()
	s.mu.Unlock()
	if pending != 0 || used < limit/2 {
		t.Errorf("%d bytes are set aside, and %d are used at the end", pending, used)
	}
}

// TestLimitLowered evicts at once what was used longest ago.
func TestLimitLowered(t *testing.T) {
	const size = 1 << 20
	s := soundStore(t, t.TempDir())
	defer s.Close()
	var keys []Key
	for i := range 4 {
		m := makeTarget(t, uint64(i), size, 4096)
		v := m.open(t, s)
		m.fill(t, v)
		keys = append(keys, v.Key())
		v.used.Store(int64(i + 1))
		must(t, v.Close())
	}
	must(t, s.Keep(keys[0], true))
	s.SetLimits(Limits{Size: 3*size - size/2})
	for deadline := time.Now().Add(10 * time.Second); s.Stats().Versions != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d versions are left", s.Stats().Versions)
		}
	}
	for i, want := range []int64{256, 0, 0, 256} {
		p, err := s.Peek(keys[i])
		if err != nil || p.Blocks != want {
			t.Errorf("version %d has %d blocks, %v", i, p.Blocks, err)
		}
	}
}

// TestLargerThanTheLimit: a version that is in use loses what was used longest ago.
func TestLargerThanTheLimit(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Limits: Limits{Size: 40 << 20}})
	must(t, err)
	defer s.Close()
	s.opened = time.Now().Add(-time.Hour) // no region is too young
	m := makeTarget(t, 1, 60<<20, 64<<10)
	v := m.open(t, s)
	v.Hold()
	must(t, v.PutControl(m.control, 0))
	for b := format.BlockID(0); b < m.count(); b += 16 {
		err := v.Put(b, m.blocks(b, b+16))
		if err != nil {
			t.Fatalf("block %d: %v", b, err)
		}
		v.mu.Lock()
		for i := range v.heat { // as if each were a minute later
			v.heat[i] = max(v.heat[i], 61) - 60
		}
		v.mu.Unlock()
	}
	if n := s.Stats().DiskBytes; n > 41<<20 {
		t.Errorf("%d bytes are taken", n)
	}
	if run, _ := v.Known(m.count()-16, m.count()); run != 16 {
		t.Error("what came last is gone")
	}
	m.right(t, v)
	v.Release()
	must(t, v.Close())
}

// TestWantedWhole: of a version of which a part is of no use none goes before it is
// verified: what comes last finds no room.
func TestWantedWhole(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Limits: Limits{Size: 4 << 20}})
	must(t, err)
	defer s.Close()
	s.opened = time.Now().Add(-time.Hour) // no region is too young
	m := makeTarget(t, 1, 6<<20, 64<<10)
	v := m.open(t, s)
	v.Hold()
	v.WantWhole()
	must(t, v.PutControl(m.control, 0))
	must(t, v.Put(0, m.blocks(0, 48)))
	v.mu.Lock()
	clear(v.heat) // nobody looked at it for long
	v.mu.Unlock()
	if err := v.Put(48, m.blocks(48, 96)); !errors.Is(err, ErrLimit) {
		t.Errorf("Put: %v", err)
	}
	if n := v.KnownCount(); n != 48 {
		t.Errorf("%d blocks are here", n)
	}
	must(t, v.SetVerified(v.Losses()))
	s.evictFor(3 << 20)
	if n := v.KnownCount(); n == 48 {
		t.Error("none goes when it is verified")
	}
	v.Release()
	must(t, v.Close())
}
