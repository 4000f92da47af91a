package blockstore

import (
	"math/rand/v2"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

// TestCountIn: counting agrees with looking at each bit, also across pages that are full
// and empty.
func TestCountIn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := newBitset(3*bitPage + 77)
	s.set(bitPage, 2*bitPage)
	s.set(3*bitPage, s.size)
	for range 200 {
		start := r.Int64N(s.size)
		s.set(start, min(start+r.Int64N(100), s.size))
	}
	for range 300 {
		start := r.Int64N(s.size)
		end := start + r.Int64N(s.size-start+1)
		var want int64
		for i := start; i < end; i++ {
			if s.has(i) {
				want++
			}
		}
		if got := s.countIn(start, end); got != want {
			t.Fatalf("[%d, %d): %d, want %d", start, end, got, want)
		}
	}
	if s.countIn(5, 5) != 0 || s.countIn(0, s.size) != s.ones {
		t.Error("the bounds")
	}
}

// TestCells: what a version has of its own and of another is counted where it lies.
func TestCells(t *testing.T) {
	v, other := newBitset(100), newBitset(100)
	v.set(0, 30)
	seg := &segment{key: Key{1}}
	version := &Version{}
	version.table = &table{geometry: format.Geometry{Length: 100 << 10, BlockSize: 1 << 10}, blocks: 100, own: v, here: other, checked: newBitset(100), apart: true,
		shared: []shared{{blocks: format.BlockRange{Start: 45, End: 80}, segment: seg}}}
	cells := version.Cells(10)
	for i, want := range []struct{ own, shared int64 }{{10, 0}, {10, 0}, {10, 0}, {0, 0}, {0, 5}, {0, 10}, {0, 10}, {0, 10}, {0, 0}, {0, 0}} {
		if c := cells[i]; c.Blocks != 10 || c.Own != want.own || c.Shared[seg.key] != want.shared {
			t.Errorf("cell %d: %+v, want %+v", i, c, want)
		}
	}
	if n := len(version.Cells(1000)); n != 100 {
		t.Errorf("%d cells of 100 blocks", n)
	}
	if n := len(version.Cells(0)); n != 1 {
		t.Errorf("%d cells, want 1", n)
	}
}
