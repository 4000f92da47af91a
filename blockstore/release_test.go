package blockstore

import (
	"os"
	"sync"
	"testing"
	"time"

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
