package format

import (
	"testing"

	"pgregory.net/rapid"
)

func drawGeometry(t *rapid.T) Geometry {
	return Geometry{
		Length: rapid.OneOf(
			rapid.Int64Range(0, MaxLength),
			rapid.Int64Range(0, 1<<20),
			rapid.Map(rapid.Int64Range(0, MaxLength>>24), func(n int64) int64 { return n << 24 }),
		).Draw(t, "Length"),
		BlockSize: 1 << rapid.IntRange(9, 24).Draw(t, "shift"),
	}
}

func TestGeometryBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGeometry(t)
		count := g.BlockCount()
		if err := g.Validate(); err != nil {
			t.Fatal(err)
		}
		if got := g.Bytes(g.All()); got != (Range{0, g.Length}) {
			t.Fatalf("all blocks are %v", got)
		}
		if got := g.Covering(Range{0, g.Length}); got != g.All() {
			t.Fatalf("the whole is covered by %v of %d", got, count)
		}
		if count == 0 {
			return
		}
		id := BlockID(rapid.Int64Range(0, count-1).Draw(t, "id"))
		r := g.Bytes(BlockRange{id, id + 1})
		if r.Length() != g.BlockLength(id) || r.Length() < 1 || r.Length() > g.BlockSize || r.Start != g.Offset(id) {
			t.Fatalf("block %d is %v, length %d", id, r, g.BlockLength(id))
		}
		if g.Block(r.Start) != id || g.Block(r.End-1) != id {
			t.Fatalf("the ends of %v are in blocks %d and %d", r, g.Block(r.Start), g.Block(r.End-1))
		}
		if (r.Length() < g.BlockSize) && int64(id) != count-1 {
			t.Fatalf("block %d of %d is short", id, count)
		}
	})
}

func TestGeometryCovering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGeometry(t)
		start := rapid.Int64Range(0, MaxLength).Draw(t, "start")
		r := Range{start, start + rapid.Int64Range(0, MaxLength).Draw(t, "n")}
		cover := g.Covering(r)
		in := Range{min(r.Start, g.Length), min(r.End, g.Length)}
		if in.Length() == 0 {
			if cover.Count() != 0 {
				t.Fatalf("%v without bytes of the target is covered by %v", r, cover)
			}
			return
		}
		got := g.Bytes(cover)
		if got.Start > in.Start || got.End < in.End {
			t.Fatalf("%v of %v lacks bytes of %v", got, g, in)
		}
		if in.Start-got.Start >= g.BlockSize || got.End-in.End >= g.BlockSize {
			t.Fatalf("%v of %v has blocks beyond %v", got, g, in)
		}
		if part := cover.Intersect(g.All()); part != cover {
			t.Fatalf("%v is not within %v", cover, g.All())
		}
	})
}

func TestGeometryValidate(t *testing.T) {
	for _, g := range []Geometry{{}, {-1, 512}, {MaxLength + 1, 512}, {1, 256}, {1, 1000}, {1, 1 << 25}, {1, -512}} {
		if g.Validate() == nil {
			t.Errorf("%+v is valid", g)
		}
	}
	empty := Geometry{0, 512}
	if empty.Validate() != nil || empty.BlockCount() != 0 || empty.Bytes(empty.All()).Length() != 0 {
		t.Error("the empty target")
	}
}

// Parts lie one behind the other, are equal but for one block, and each block is in the part
// that has it.
func TestGeometryParts(t *testing.T) {
	for _, blocks := range []int64{1, 2, 7, 1000, 1<<27 - 1, 1 << 52} {
		g := Geometry{Length: blocks, BlockSize: 1}
		if blocks > 1<<27 {
			g = Geometry{Length: blocks * 512, BlockSize: 512}
		}
		for _, n := range []int{1, 2, 3, 7, 400, 1 << 20} {
			if int64(n) > blocks {
				continue
			}
			for _, i := range []int{0, n / 3, n / 2, n - 1} {
				p := g.Part(i, n)
				if c := p.Count(); c < blocks/int64(n) || c > blocks/int64(n)+1 {
					t.Errorf("part %d of %d of %d blocks has %d", i, n, blocks, c)
				}
				if i+1 < n && g.Part(i+1, n).Start != p.End {
					t.Errorf("after part %d of %d comes %v", i, n, g.Part(i+1, n))
				}
				for _, id := range []BlockID{p.Start, p.End - 1} {
					if got := g.PartOf(id, n); got != i {
						t.Errorf("block %d of %d is in part %d of %d, want %d", id, blocks, got, n, i)
					}
				}
			}
			if first, last := g.Part(0, n), g.Part(n-1, n); first.Start != 0 || int64(last.End) != blocks {
				t.Errorf("%d parts of %d blocks are [%d, %d)", n, blocks, first.Start, last.End)
			}
		}
	}
}
