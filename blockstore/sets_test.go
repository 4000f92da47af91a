package blockstore

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/zsyncfs/zsyncfs/format"
)

// TestExtents holds extents against one bool per byte.
func TestExtents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 60
		var x extents
		var want [n]bool
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			start := rapid.IntRange(0, n).Draw(t, "start")
			end := rapid.IntRange(start, n).Draw(t, "end")
			r := format.Range{Start: int64(start), End: int64(end)}
			add := rapid.Bool().Draw(t, "add")
			if add {
				x = x.add(r)
			} else {
				x = x.remove(r)
			}
			for i := start; i < end; i++ {
				want[i] = add
			}
			if !x.valid(n) {
				t.Fatalf("invalid: %v", x)
			}
			probe := format.Range{Start: rapid.Int64Range(0, n).Draw(t, "from"), End: n}
			var got [n]bool
			for _, e := range x.within(probe) {
				for i := e.Start; i < e.End; i++ {
					got[i] = true
				}
			}
			all := true
			for i := probe.Start; i < n; i++ {
				all = all && want[i]
				if got[i] != want[i] {
					t.Fatalf("within: %v", x)
				}
			}
			for _, e := range x.missing(probe) {
				for i := e.Start; i < e.End; i++ {
					if want[i] {
						t.Fatalf("missing: %v", x)
					}
					got[i] = true
				}
			}
			for i := probe.Start; i < n; i++ {
				if !got[i] {
					t.Fatalf("missing: %v lacks %d", x, i)
				}
			}
			if x.covers(probe) != all {
				t.Fatalf("covers(%v): %v", probe, x)
			}
		}
	})
}

// TestTable holds a table against one state per block.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 300).Draw(t, "blocks")
		table := newTable(format.Geometry{Length: n*512 - 11, BlockSize: 512})
		want := make([]int, n) // 0 nowhere, 1 here, 2 checked
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			start := rapid.Int64Range(0, n).Draw(t, "start")
			end := rapid.Int64Range(start, n).Draw(t, "end")
			r := format.BlockRange{Start: format.BlockID(start), End: format.BlockID(end)}
			to := rapid.IntRange(0, 2).Draw(t, "to")
			if to == 0 {
				table.forget(r)
			} else {
				table.put(r, to == 2)
			}
			for i := start; i < end; i++ {
				if to == 0 || want[i] < to {
					want[i] = to
				}
			}
		}
		bytes, count := int64(0), int64(0)
		for b := int64(0); b < n; {
			run := table.run(format.BlockID(b), format.BlockID(n))
			state := 0
			if run.at == ownSegment {
				state = 1
			}
			if run.checked {
				state = 2
			}
			if int64(run.end) <= b || int64(run.end) < n && want[run.end] == state {
				t.Fatalf("run at %d ends at %d", b, run.end)
			}
			for ; b < int64(run.end); b++ {
				if want[b] != state {
					t.Fatalf("block %d is %d, not %d", b, state, want[b])
				}
				if state > 0 {
					count++
					bytes += table.geometry.BlockLength(format.BlockID(b))
				}
			}
		}
		here, own := table.bytes()
		if table.count != count || here != bytes || own != bytes || table.own.count() != count {
			t.Fatalf("count %d, bytes %d, own %d; want %d, %d", table.count, here, own, count, bytes)
		}
	})
}
