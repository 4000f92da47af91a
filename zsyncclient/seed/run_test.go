package seed

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// TestRunsOnly holds every way to scan with LeastRun against the rule: nothing of
// shorter runs is delivered, and everything of the others.
func TestRunsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSituation(t)
		c.o.LeastRun = rapid.IntRange(2, 5).Draw(t, "least")
		c.o.First = rapid.Int64Range(0, 20000).Draw(t, "first")
		want := naiveRuns(c.target, c.seed, c.known, c.o.LeastRun)
		if got := c.file(t).blocks; !maps.Equal(got, want) {
			t.Fatalf("file: %v were found, want %v", got, want)
		}
		if got := c.stream(t).blocks; !maps.Equal(got, want) {
			t.Fatalf("stream: %v were found, want %v", got, want)
		}
	})
}

// TestRunLengths: runs of each length, at odd offsets and over the ends of slices, are
// found when they are long enough, and only then.
func TestRunLengths(t *testing.T) {
	const block, longest = 1024, 20
	var data, seed []byte
	var runs []format.BlockRange
	for n := 1; n <= longest; n++ {
		first := format.BlockID(len(data) / block)
		part := randomBytes(byte(n), n*block)
		data, seed = append(data, part...), append(seed, part...)
		runs = append(runs, format.BlockRange{Start: first, End: first + format.BlockID(n)})
		// Something else follows in both.
		data, seed = append(data, randomBytes(100, block)...), append(seed, randomBytes(101, 100*n+1)...)
	}
	for _, l := range benchLengths {
		tg := newTarget(data, block, checksum.MD4, l)
		for _, least := range []int{2, 3, 8, MaxLeastRun, MaxLeastRun + 1} {
			for _, o := range []Options{{Workers: 1, slice: 4 * block}, {Workers: 2, slice: 7*block + 13}, {slice: 64 << 10}, {First: 100000, slice: 5 * block}} {
				o.LeastRun = least
				missing := NewMissing(tg.header.Geometry().BlockCount())
				out, _ := scanBytes(t, tg, missing, seed, o)
				for _, r := range runs {
					want := r.Count() >= int64(min(least, MaxLeastRun))
					for id := r.Start; id < r.End; id++ {
						if out.blocks[id] != want || missing.Has(id) == want {
							t.Fatalf("%s, %+v: block %d of %s: found %v", l, o, id, r, out.blocks[id])
						}
					}
				}
			}
		}
	}
}

// TestRunOfKnown: neighbours that nobody misses count, and a target that has fewer
// blocks than a run is not found.
func TestRunOfKnown(t *testing.T) {
	for _, l := range benchLengths {
		data := randomBytes(1, 5*1024)
		tg := newTarget(data, 1024, checksum.MD4, l)
		seed := append(randomBytes(2, 999), data...)
		for id := range format.BlockID(5) {
			for least, want := range map[int]int64{5: 0, 6: 1} {
				missing := NewMissing(5)
				for other := range format.BlockID(5) {
					if other != id {
						missing.Take(other)
					}
				}
				scanBytes(t, tg, missing, seed, Options{LeastRun: least})
				if got := missing.Count(); got != want {
					t.Errorf("%s, block %d, runs of %d: %d are missing", l, id, least, got)
				}
			}
		}
	}
}

// TestRunCopies: what is repeated elsewhere is delivered there when it is a run there,
// without a second pass.
func TestRunCopies(t *testing.T) {
	for _, l := range benchLengths {
		for _, least := range []int{2, 4} {
			t.Run(fmt.Sprintf("%s, runs of %d", l, least), func(t *testing.T) { testRunCopies(t, l, least) })
		}
	}
}

func testRunCopies(t *testing.T, l format.Lengths, least int) {
	const block = 1024
	part := randomBytes(1, 300*block)
	// A class that is too large to be compared.
	copy(part[200*block:], constant(7, (maxCandidates+1)*block))
	data := bytes.Clone(part)
	add := func(from, to int) format.BlockRange {
		data = append(data, randomBytes(byte(len(data)/block), block)...)
		first := format.BlockID(len(data) / block)
		data = append(data, part[from*block:to*block]...)
		return format.BlockRange{Start: first, End: first + format.BlockID(to-from)}
	}
	filled := 200 + maxCandidates + 1
	runs := []format.BlockRange{
		add(0, least), add(1, 1+least), add(50, 150), add(190, 230), add(300-least, 300),
		add(filled-least+1, filled+1), add(201-least, 201), // begin and end in the large class
	}
	single := []format.BlockRange{add(0, least-1), add(120, 121), add(180, 180+least-1)}
	tg := newTarget(data, block, checksum.MD4, l)
	out := scanOnce(t, tg, NewMissing(tg.header.Geometry().BlockCount()), part, Options{LeastRun: least, Workers: 1, slice: 64 * block})
	for want, list := range map[bool][]format.BlockRange{true: runs, false: single} {
		for _, r := range list {
			for id := r.Start; id < r.End; id++ {
				if out.blocks[id] != want {
					t.Errorf("block %d of %s: found %v", id, r, out.blocks[id])
				}
			}
		}
	}
}

// TestRunWeaklyKnown: known blocks that only seem to be there, by their rsums, are no
// part of a run.
func TestRunWeaklyKnown(t *testing.T) {
	const block, least, count = 1024, 4, 40
	data := randomBytes(1, count*block)
	for _, l := range benchLengths {
		tg := newTarget(data, block, checksum.MD4, l)
		for last := format.BlockID(least); last < 12; last++ {
			for changed := format.BlockID(1); changed < last; changed++ {
				missing := NewMissing(count)
				for id := format.BlockID(1); id < count; id++ {
					if id != last {
						missing.Take(id)
					}
				}
				seed := bytes.Clone(data[:(last+1)*block])
				// Both sums of an rsum stay as they are.
				for i, d := range []byte{1, 254, 1} {
					seed[int(changed)*block+100+i] += d
				}
				scanBytes(t, tg, missing, seed, Options{LeastRun: least})
				if missing.Has(0) == (changed >= least) || missing.Has(last) == (last-changed >= least) {
					t.Errorf("%s: 0 to %d, but not %d: missing %v, %v", l, last, changed, missing.Has(0), missing.Has(last))
				}
			}
		}
	}
}

// TestRunHashing: blocks are hashed about once, however long runs must be.
func TestRunHashing(t *testing.T) {
	data := randomBytes(1, 4<<20)
	for _, l := range benchLengths {
		tg := newTarget(data, 2048, checksum.MD4, l)
		for _, least := range []int{2, 4, 8} {
			t.Run(fmt.Sprintf("%s, runs of %d", l, least), func(t *testing.T) {
				c := countScan(t, tg, data, Options{LeastRun: least, Workers: 1, slice: 1 << 20})
				if blocks := int64(len(data) / 2048); c.strong > blocks+64 || c.strong < blocks {
					t.Errorf("%d of %d blocks were hashed", c.strong, blocks)
				}
			})
		}
	}
}
