package seed

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsyncfs/zsyncfs/format"
)

func TestMissing(t *testing.T) {
	for _, count := range []int64{-1, 0, 1, 63, 64, 65, 200} {
		m := NewMissing(count)
		count = max(count, 0)
		if m.Count() != count || m.Has(-1) || m.Has(format.BlockID(count)) || m.Take(format.BlockID(count)) || m.Take(-1) {
			t.Errorf("%d blocks: count %d", count, m.Count())
		}
		m.Add(format.BlockID(count))
		m.Add(-1)
		var want []format.BlockRange
		if count > 0 {
			want = []format.BlockRange{{End: format.BlockID(count)}}
		}
		if got := slices.Collect(m.Runs()); !slices.Equal(got, want) || m.Count() != count {
			t.Errorf("%d blocks: runs %v", count, got)
		}
	}
}

// TestTakeRuns: each run that is missing is given once with its bytes, the last
// block cut; an error ends it.
func TestTakeRuns(t *testing.T) {
	g := format.Geometry{BlockSize: 4, Length: 18}
	m := NewMissing(g.BlockCount())
	m.Take(1)
	if n := m.Bytes(g); n != 14 {
		t.Errorf("%d bytes are missing", n)
	}
	var got []string
	give := func(run format.BlockRange, data []byte) error {
		got = append(got, fmt.Sprintf("%v %s", run, data))
		return nil
	}
	for _, first := range []format.BlockID{0, 3} { // block 3 comes twice
		if err := m.TakeRuns(g, first, []byte("aaaabbbbccccddddee")[4*first:], give); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		fmt.Sprintf("%v aaaa", format.BlockRange{Start: 0, End: 1}),
		fmt.Sprintf("%v ccccddddee", format.BlockRange{Start: 2, End: 5}),
	}
	if !slices.Equal(got, want) || m.Count() != 0 || m.Bytes(g) != 0 {
		t.Errorf("%q, %d left", got, m.Count())
	}
	m.Add(0)
	m.Add(2)
	if err := m.TakeRuns(g, 0, []byte("aaaabbbbcccc"), func(format.BlockRange, []byte) error { return errDone }); err != errDone || !m.Has(2) {
		t.Errorf("%v, %d left", err, m.Count())
	}
}

// TestMissingAsSet holds it against a map.
func TestMissingAsSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.Int64Range(1, 300).Draw(t, "count")
		m, want := NewMissing(count), map[format.BlockID]bool{}
		for id := range count {
			want[format.BlockID(id)] = true
		}
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			id := format.BlockID(rapid.Int64Range(0, count-1).Draw(t, "id"))
			if rapid.Bool().Draw(t, "take") {
				if m.Take(id) != want[id] {
					t.Fatalf("take %d", id)
				}
				delete(want, id)
			} else {
				m.Add(id)
				want[id] = true
			}
		}
		n := 0
		last := format.BlockID(-1)
		for r := range m.Runs() {
			if r.Start <= last || r.Count() == 0 {
				t.Fatalf("%s after %d", r, last)
			}
			for id := r.Start; id < r.End; id++ {
				if n++; !want[id] {
					t.Fatalf("%d is not missing", id)
				}
			}
			last = r.End
		}
		if n != len(want) || m.Count() != int64(n) {
			t.Fatalf("%d in runs, count %d, want %d", n, m.Count(), len(want))
		}
	})
}

func TestTakeOnce(t *testing.T) {
	const count = 10000
	m := NewMissing(count)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for id := range format.BlockID(count) {
				if m.Take(id) {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if taken.Load() != count || m.Count() != 0 {
		t.Errorf("%d taken, %d left", taken.Load(), m.Count())
	}
	for range m.Runs() {
		t.Error("a run in an empty set")
	}
}
