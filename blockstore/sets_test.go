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

// TestBitset holds a bitset of some pages against one bool per bit.
func TestBitset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 3).Draw(t, "pages")*bitPage + rapid.Int64Range(-70, 70).Draw(t, "more")
		edge := rapid.Custom(func(t *rapid.T) int64 {
			near := rapid.Int64Range(0, n/bitPage+1).Draw(t, "page") * bitPage
			return max(0, min(n, near+rapid.Int64Range(-130, 130).Draw(t, "off")))
		})
		s, want := newBitset(n), make([]bool, n)
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			a, b := edge.Draw(t, "a"), edge.Draw(t, "b")
			start, end, on, changed := min(a, b), max(a, b), rapid.Bool().Draw(t, "on"), int64(0)
			for i := start; i < end; i++ {
				if want[i] != on {
					want[i], changed = on, changed+1
				}
			}
			before := s.clone()
			got := s.clear
			if on {
				got = s.set
			}
			if n := got(start, end); n != changed || s.count()-before.count() != map[bool]int64{true: n, false: -n}[on] {
				t.Fatalf("%d changed, not %d; there were %d, are %d", n, changed, before.count(), s.count())
			}
		}
		checkBits(t, s, want)
		checkBits(t, s.clone(), want)
		back := newBitset(n)
		for i := range int64(len(s.pages)) {
			p := make([]byte, pageSize)
			encodePage(p, s, i, Key{})
			if err := decodePage(p, back, n, i, Key{}); err != nil {
				t.Fatal(err)
			}
		}
		checkBits(t, back, want)
	})
}

// checkBits holds s, as its runs tell it, against want.
func checkBits(t *rapid.T, s *bitset, want []bool) {
	n, ones := int64(len(want)), int64(0)
	for i := int64(0); i < n; {
		on := s.has(i)
		end := s.next(!on, i, n)
		if s.next(on, i, n) != i || end <= i {
			t.Fatalf("next from %d: %d", i, end)
		}
		for ; i < end; i++ {
			if want[i] != on {
				t.Fatalf("bit %d is %v", i, on)
			}
			if on {
				ones++
			}
		}
	}
	if s.count() != ones {
		t.Fatalf("counts %d, not %d", s.count(), ones)
	}
	for i, w := range allSet {
		if ^w != 0 {
			t.Fatalf("word %d of all pages is %x", i, w)
		}
	}
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
