package seed

import (
	"cmp"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/zsyncfs/zsyncfs/zsyncclient/sparse"
)

// stretch is how much of a seed is scanned before what was jumped over in it is:
// it bounds the list of that. In bytes.
const stretch = 16 << 30

// span is the offsets of a seed from start to end.
type span struct{ start, end int64 }

// distance is how far the part is from the offset first, in bytes.
func (p span) distance(first int64) int64 {
	return max(p.start-first, first-p.end+1, 0)
}

// stretches are those of a seed of size bytes, in order of their distance from first.
func stretches(size, first int64) iter.Seq[span] {
	first = min(max(first, 0), size)
	low := first - first%stretch
	high := low
	return func(yield func(span) bool) {
		for low > 0 || high < size {
			below := span{low - stretch, low}
			above := span{high, high + min(stretch, size-high)}
			next := above
			if high >= size || low > 0 && below.distance(first) < above.distance(first) {
				next, low = below, below.start
			} else {
				high = above.end
			}
			if !yield(next) {
				return
			}
		}
	}
}

// sortFrom sorts work by the distance from first; nothing changes when that is the
// start of the seed.
func sortFrom(work []span, first int64) {
	if first <= 0 {
		return
	}
	slices.SortStableFunc(work, func(a, b span) int {
		return cmp.Compare(a.distance(first), b.distance(first))
	})
}

// work is all in slices, without holes of the file r: blocks of zeros need no seed.
func (s *scan) work(r io.ReaderAt, all span, size int64) (work []span) {
	f, ok := r.(*os.File)
	if !ok {
		return all.cut(s.slice, nil)
	}
	holes := all.end - all.start
	for _, part := range s.withoutHoles(f, all, size) {
		holes -= part.end - part.start
		work = part.cut(s.slice, work)
	}
	if holes > 0 {
		s.addScanned(holes)
	}
	return work
}

// withoutHoles are the offsets of all whose look-ups reach data of f. Small holes
// stay: each slice has to read as much as a look-up reaches beyond it.
func (s *scan) withoutHoles(f *os.File, all span, size int64) (parts []span) {
	gap := max(mergeGap, 4*int64(s.reach))
	for at := all.start; at < all.end; {
		start, end := sparse.Next(f, at, size)
		at = end
		// Look-ups at the offsets before an extent reach into it.
		part := span{max(start-int64(s.reach)+1, all.start), min(end, all.end)}
		if start >= size || part.start >= all.end {
			break
		}
		if n := len(parts); n > 0 && part.start-parts[n-1].end < gap {
			parts[n-1].end = part.end
		} else {
			parts = append(parts, part)
		}
	}
	return parts
}

// cut appends x to work in pieces of some length.
func (x span) cut(length int, work []span) []span {
	for at := x.start; at < x.end; at += int64(length) {
		work = append(work, span{at, min(at+int64(length), x.end)})
	}
	return work
}
