package seed

import (
	"bytes"
	"testing"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// TestStretches: they are all of a seed, once, the nearest first.
func TestStretches(t *testing.T) {
	for _, size := range []int64{0, 1, stretch - 1, stretch, stretch + 1, 5*stretch + 7, 1<<63 - 1 - 1<<40} {
		for _, first := range []int64{-1, 0, 1, stretch / 2, stretch, 2*stretch + 5, 3*stretch - 1, size - 1, size, size + 1} {
			var last, total int64
			low, high, count := size, int64(0), 0
			for part := range stretches(size, first) {
				if far := part.distance(min(max(first, 0), size)); far < last {
					t.Errorf("%d of %d: %v comes too late", first, size, part)
				} else {
					last = far
				}
				if count > 0 && part.end != low && part.start != high {
					t.Errorf("%d of %d: %v is not beside %d to %d", first, size, part, low, high)
				}
				low, high = min(low, part.start), max(high, part.end)
				total += part.end - part.start
				if count++; count > 100 {
					break
				}
			}
			if count <= 100 && (low > 0 || high != size || total != size) {
				t.Errorf("%d of %d: %d bytes in %d to %d", first, size, total, low, high)
			}
		}
	}
}

// TestFirstPass: a run that goes on into a slice that is not the next is found there.
func TestFirstPass(t *testing.T) {
	data := randomBytes(1, 1<<20)
	for _, l := range benchLengths {
		for _, block := range []int{1024, 32 << 10} {
			for _, least := range []int{0, 3} {
				tg := newTarget(data, block, checksum.MD4, l)
				missing := NewMissing(tg.header.Geometry().BlockCount())
				scanOnce(t, tg, missing, data, Options{First: 500000, Workers: 1, LeastRun: least, slice: 64 << 10})
				if missing.Count() != 0 {
					t.Errorf("%s, blocks of %d, runs of %d: %d are missing", l, block, least, missing.Count())
				}
			}
		}
	}
}

// TestFirst: what is found does not depend on where a scan begins, and what is found
// first lies in the slice there.
func TestFirst(t *testing.T) {
	const slice = 32 << 10
	part := randomBytes(1, 200<<10)
	data := append(bytes.Clone(part), randomBytes(2, 200<<10+700)...)
	data = append(data, part...)
	for _, l := range benchLengths {
		for _, block := range []int{1024, 16 << 10} {
			tg := newTarget(data, block, checksum.MD4, l)
			for _, first := range []int64{-5, 0, 1, slice, 100000, 300000, int64(len(data)) - 1, int64(len(data)), 1 << 40} {
				for _, workers := range []int{1, 2} {
					missing := NewMissing(tg.header.Geometry().BlockCount())
					out, stats := scanBytes(t, tg, missing, data, Options{First: first, Workers: workers, slice: slice})
					if missing.Count() != 0 || stats.Scanned > int64(len(data)) {
						t.Errorf("%s, blocks of %d from %d: %d are missing, %d scanned", l, block, first, missing.Count(), stats.Scanned)
					}
					want := min(max(first, 0), int64(len(data))-1)
					// With two workers the next slice may be the faster one.
					if far := out.first - want; far > int64(workers)*(slice+int64(block)) || far < -int64(workers)*slice {
						t.Errorf("%s, blocks of %d from %d: %d is the first place", l, block, first, out.first)
					}
				}
			}
		}
	}
}
