package blockstore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

// TestPutWhilePunching: a block that is put while the room of its place is being given
// back is not lost, whichever of both is first.
func TestPutWhilePunching(t *testing.T) {
	defer func() { punchHole = punch }()
	m := makeTarget(t, 1, 64*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	defer s.Close()
	v := m.open(t, s)
	defer v.Close()
	m.fill(t, v)
	must(t, v.Checkpoint())
	var writer sync.WaitGroup
	punched := 0
	punchHole = func(f *os.File, off, n int64) error {
		punched++
		put := make(chan error, 1)
		writer.Go(func() { put <- v.Put(10, m.blocks(10, 20)) })
		select {
		case err := <-put:
			must(t, err)
		case <-time.After(100 * time.Millisecond): // it waits for the hole
		}
		return punch(f, off, n)
	}
	freed, err := v.empty()
	must(t, err)
	writer.Wait()
	if !freed || punched != 1 {
		t.Fatalf("freed %v, %d holes", freed, punched)
	}
	if n := v.KnownCount(); n != 10 {
		t.Errorf("%d blocks are here, 10 were put", n)
	}
	if n := m.checkAll(t, v); n != 10 {
		t.Errorf("%d blocks are right, 10 were put", n)
	}
}

// TestReleaseAroundBlocks: what lies between blocks that came again is given back.
func TestReleaseAroundBlocks(t *testing.T) {
	m := makeTarget(t, 1, 64*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	defer s.Close()
	v := m.open(t, s)
	defer v.Close()
	m.fill(t, v)
	must(t, v.Forget(v.geometry().All()))
	must(t, v.Put(30, m.blocks(30, 34)))
	must(t, v.Checkpoint())
	must(t, v.release([]format.BlockRange{v.geometry().All()}, nil))
	info, err := v.parts.data.Stat()
	must(t, err)
	if n := diskBytes(info); n != 4*4096 {
		t.Errorf("the file takes %d bytes for 4 blocks", n)
	}
	if n := m.checkAll(t, v); n != 4 {
		t.Errorf("%d blocks are right", n)
	}
}

// TestNoHoles: on a disk that makes no holes, whole files go, and all else works.
func TestNoHoles(t *testing.T) {
	defer func() { punchHole = punch }()
	punchHole = func(*os.File, int64, int64) error { return unix.EOPNOTSUPP }
	m := makeTarget(t, 1, 400*4096, 4096)
	next := m.changed(t, 2, 20)
	dir := t.TempDir()
	s, w := openStore(t, dir)
	v, v2 := sharing(t, s, m, next)
	v.Hold()
	must(t, v.Forget(format.BlockRange{Start: 5, End: 7}))
	must(t, func() error { _, err := s.Collect(); return err }()) // so it is found out
	must(t, v.Put(5, m.blocks(5, 7)))
	next.putWhole(t, v2)
	v.Release()
	before := s.Stats().DiskBytes
	must(t, v2.Gather(context.Background()))
	if n := s.Stats().DiskBytes; n > before || v2.Shares() == 0 {
		t.Errorf("%d bytes more are taken, %d blocks are shared", n-before, v2.Shares())
	}
	if !bytes.Equal(wholeData(t, v2, len(next.data), false), next.data) {
		t.Error("the new one has other bytes")
	}
	m.same(t, v)
	must(t, func() error { _, err := s.Collect(); return err }())
	s.SetLimits(Limits{Size: 1 << 20})
	s.evictFor(1 << 20)
	m.same(t, v)
	next.same(t, v2)
	if err := s.Remove(v.key); !errors.Is(err, ErrInUse) {
		t.Errorf("Remove of one that is open: %v", err)
	}
	must(t, v.Close())
	must(t, v2.Close())
	s.evictFor(1 << 20)
	if n := dataBytes(t, dir); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
	if w.count() > 0 {
		t.Errorf("warnings: %v", w.all)
	}
}
