package blockstore

import (
	"cmp"
	"slices"
	"sort"

	"github.com/zsyncfs/zsyncfs/format"
)

// extents is a set of bytes: ranges in order, none empty, none touching
// another. Not safe for concurrent use.
type extents []format.Range

// extentsOf is the set of what is in any of ranges, which it sorts.
func extentsOf(ranges []format.Range) (x extents) {
	slices.SortFunc(ranges, func(a, b format.Range) int { return cmp.Compare(a.Start, b.Start) })
	for _, r := range ranges {
		switch n := len(x); {
		case r.Length() == 0:
		case n > 0 && r.Start <= x[n-1].End:
			x[n-1].End = max(x[n-1].End, r.End)
		default:
			x = append(x, r)
		}
	}
	return x
}

// from is the index of the first range that ends after off.
func (x extents) from(off int64) int {
	return sort.Search(len(x), func(i int) bool { return x[i].End > off })
}

// covers reports whether all of r is in x.
func (x extents) covers(r format.Range) bool {
	if r.Length() == 0 {
		return true
	}
	i := x.from(r.Start)
	return i < len(x) && x[i].Start <= r.Start && x[i].End >= r.End
}

// within are the parts of x that lie in r.
func (x extents) within(r format.Range) extents {
	var out extents
	for i := x.from(r.Start); i < len(x) && x[i].Start < r.End; i++ {
		out = append(out, format.Range{Start: max(x[i].Start, r.Start), End: min(x[i].End, r.End)})
	}
	return out
}

// missing are the parts of r that are not in x.
func (x extents) missing(r format.Range) extents {
	var out extents
	at := r.Start
	for _, e := range x.within(r) {
		if e.Start > at {
			out = append(out, format.Range{Start: at, End: e.Start})
		}
		at = e.End
	}
	if at < r.End {
		out = append(out, format.Range{Start: at, End: r.End})
	}
	return out
}

// add is x with r.
func (x extents) add(r format.Range) extents {
	if r.Length() == 0 {
		return x
	}
	i := sort.Search(len(x), func(i int) bool { return x[i].End >= r.Start })
	j := i
	for ; j < len(x) && x[j].Start <= r.End; j++ {
		r = format.Range{Start: min(r.Start, x[j].Start), End: max(r.End, x[j].End)}
	}
	return slices.Replace(slices.Clone(x), i, j, r)
}

// remove is x without r.
func (x extents) remove(r format.Range) extents {
	if r.Length() == 0 {
		return x
	}
	var out extents
	for _, e := range x {
		if left := (format.Range{Start: e.Start, End: min(e.End, r.Start)}); left.Length() > 0 {
			out = append(out, left)
		}
		if right := (format.Range{Start: max(e.Start, r.End), End: e.End}); right.Length() > 0 {
			out = append(out, right)
		}
	}
	return out
}

// valid reports whether x has the shape of a set, within [0, length).
func (x extents) valid(length int64) bool {
	at := int64(-1)
	for _, e := range x {
		if e.Start <= at || e.Start < 0 || e.End <= e.Start || e.End > length {
			return false
		}
		at = e.End
	}
	return true
}
