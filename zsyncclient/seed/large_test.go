package seed

import (
	"bytes"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// TestLargeBlocks: blocks too large for the ring of sums, and for several workers.
func TestLargeBlocks(t *testing.T) {
	for _, block := range []int{64 << 10, 128 << 10, 4 << 20} {
		for _, l := range []format.Lengths{{SeqMatches: 1, Rsum: 4, Strong: 16}, {SeqMatches: 2, Rsum: 2, Strong: 4}} {
			data := randomBytes(1, 3*block+1000)
			tg := newTarget(data, block, checksum.MD4, l)
			seed := append(randomBytes(2, 5001), data...)
			missing := NewMissing(tg.header.Geometry().BlockCount())
			out, _ := scanBytes(t, tg, missing, seed, Options{})
			if missing.Count() != 0 || !bytes.Equal(out.content, data) {
				t.Errorf("%d bytes, %s: %d blocks are missing", block, l, missing.Count())
			}
		}
	}
}

// TestLargeRuns: blocks of which a run is longer than a slice.
func TestLargeRuns(t *testing.T) {
	const block = 2 << 20
	data := randomBytes(1, 5*block+1000)
	for _, l := range benchLengths {
		tg := newTarget(data, block, checksum.MD4, l)
		for _, first := range []int64{0, 6 << 20} {
			missing := NewMissing(tg.header.Geometry().BlockCount())
			scanBytes(t, tg, missing, append(randomBytes(2, 5001), data...), Options{LeastRun: 3, First: first})
			if missing.Count() != 0 {
				t.Errorf("%s from %d: %d blocks are missing", l, first, missing.Count())
			}
		}
	}
}

// TestDuplicateElsewhere: what a run jumped over is looked at once more for blocks
// that begin elsewhere in the same bytes.
func TestDuplicateElsewhere(t *testing.T) {
	part := randomBytes(1, 100<<10)
	data := append(bytes.Clone(part), randomBytes(2, 700)...)
	data = append(data, part...)
	tg := newTarget(data, 1024, checksum.MD4, format.Lengths{SeqMatches: 2, Rsum: 2, Strong: 5})
	missing := NewMissing(tg.header.Geometry().BlockCount())
	scanBytes(t, tg, missing, part, Options{})
	if missing.Count() > 3 {
		t.Errorf("%d blocks are missing", missing.Count())
	}
}
