package target

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

// TestPatterns: what is fetched ahead of a reader is what it reads next, and nothing
// of a reader that jumps about.
func TestPatterns(t *testing.T) {
	const length, page = 24 * mib, 4096
	sequence := func(start, stride, count int64, sizes ...int64) (out []format.Range) {
		for i := range count {
			at := start + i*stride
			for _, n := range sizes {
				out = append(out, format.Range{Start: at, End: at + n})
				at += n
			}
		}
		return out
	}
	var jumps []format.Range
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		at := random.Int64N(length/page) * page
		jumps = append(jumps, format.Range{Start: at, End: at + page})
	}
	for _, tt := range []struct {
		name  string
		reads []format.Range
		// hits is the least share of the reads that is to be planned before it comes,
		// waste the largest share of what is planned that is never read.
		hits, waste float64
	}{
		{"forward", sequence(0, page, 4000, page), 0.99, 0.4},
		{"forward by large reads", sequence(0, 256<<10, 60, 128<<10, 128<<10), 0.95, 0.4},
		{"backward", sequence(20*mib, -page, 4000, page), 0.99, 0.1},
		{"backward by large reads", sequence(20*mib, -512<<10, 38, 128<<10, 128<<10, 128<<10, 128<<10), 0.85, 0.25},
		{"strided", sequence(page, 256<<10, 90, page), 0.9, 0.1},
		{"strided backwards", sequence(23*mib, -256<<10, 90, page), 0.9, 0.1},
		{"strided by large reads", sequence(0, mib, 23, 128<<10, 128<<10), 0.8, 0.2},
		{"random", jumps, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, length, nil)
			tg := f.open()
			r := tg.NewReader()
			planned := map[format.BlockID]bool{}
			hits, read := 0, map[format.BlockID]bool{}
			for _, x := range tt.reads {
				own := tg.geometry.Covering(x)
				if planned[own.Start] && planned[own.End-1] {
					hits++
				}
				for _, run := range r.plan(x) {
					for b := run.Start; b < run.End; b++ {
						planned[b] = true
					}
				}
				for b := own.Start; b < own.End; b++ {
					read[b] = true
				}
			}
			wasted := 0
			for b := range planned {
				if !read[b] {
					wasted++
				}
			}
			if share := float64(hits) / float64(len(tt.reads)); share < tt.hits || tt.hits == 0 && hits > 0 {
				t.Errorf("%.2f of the reads were foreseen", share)
			}
			if share := float64(wasted) / float64(max(len(planned), 1)); share > tt.waste {
				t.Errorf("%.2f of what was planned is not read", share)
			}
		})
	}
}

// TestLongStrides: of a reader that reads long parts at equal distances no more is
// fetched at once than of others, for who jumps into that waits for it.
func TestLongStrides(t *testing.T) {
	const burst, stride, length = 10 * mib, 13 * mib, 64 * mib
	f := newFixture(t, length, nil)
	r := f.open().NewReader()
	reads, hits := 0, 0
	planned := map[format.BlockID]bool{}
	for start := int64(0); start < length-burst; start += stride {
		for off := start; off < start+burst; off += 256 << 10 {
			read := format.Range{Start: off, End: off + 256<<10}
			if reads++; planned[r.target.geometry.Block(read.End-1)] {
				hits++
			}
			sum := int64(0)
			for _, run := range r.plan(read) {
				sum += r.target.geometry.Bytes(run).Length()
				for b := run.Start; b < run.End; b++ {
					planned[b] = true
				}
			}
			if sum > windowLimit {
				t.Errorf("%d bytes at once at %d", sum, off)
			}
		}
	}
	if share := float64(hits) / float64(reads); share < 0.9 {
		t.Errorf("%.2f of the reads were foreseen", share)
	}
}

// TestReadersShareWindows: several readers of one file, each in its own way, have
// nothing fetched twice.
func TestReadersShareWindows(t *testing.T) {
	f := newFixture(t, 12*mib, nil)
	tg := f.open()
	read := func(next func(i int64) int64, count int64) error {
		r, p := tg.NewReader(), make([]byte, 64<<10)
		for i := range count {
			off := next(i)
			n, err := r.ReadAt(context.Background(), p, off)
			if n < len(p) || !slices.Equal(p, f.data[off:off+int64(n)]) {
				return fmt.Errorf("%d bytes at %d: %w", n, off, err)
			}
		}
		return nil
	}
	const step, count = 64 << 10, 12 * mib / (64 << 10)
	ways := []func(i int64) int64{
		func(i int64) int64 { return i * step },
		func(i int64) int64 { return i * step },
		func(i int64) int64 { return (count - 1 - i) * step },
		func(i int64) int64 { return i * 7 % count * step },
		func(i int64) int64 { return rand.Int64N(count) * step },
	}
	done := make(chan error, len(ways))
	for _, way := range ways {
		go func() { done <- read(way, count) }()
	}
	for range ways {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := tg.fetched.Load(); n != 12*mib {
		t.Errorf("%d bytes were fetched of %d", n, 12*mib)
	}
}
