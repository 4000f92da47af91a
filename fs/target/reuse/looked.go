package reuse

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// Versions of one file have most of their content in common, at the same place. A
// scan of the second one would look for the same blocks in the same bytes again, so
// only what differs from those before is scanned, and some blocks beside that.

// leastSkip is how many blocks in a row are left out of a scan at least: each gap
// costs a look-up, and a window that spans it.
const leastSkip = 16

// knownRuns are the blocks of v that are here, in ascending order.
func knownRuns(v *blockstore.Version) (out []format.BlockRange) {
	end := v.Header().Geometry().All().End
	for b := format.BlockID(0); b < end; {
		run, missing := v.Known(b, end)
		if run > 0 {
			out = append(out, format.BlockRange{Start: b, End: b + format.BlockID(run)})
		}
		b += format.BlockID(max(run, missing, 1))
	}
	return out
}

// unlooked are those of runs, which are known blocks of r, that are to be scanned:
// not what lies deep in a run that one of before has as well. A match that begins or
// ends outside of such a run reaches no deeper into it than margin blocks, or has as
// many of its blocks in the run as are found there by themselves.
func (f *Finder) unlooked(ctx context.Context, r *relative, runs []format.BlockRange, before []*relative) []format.BlockRange {
	size := r.version.Header().BlockSize
	margin := format.BlockID(int64(max(f.leastRun, f.h.SeqMatches)+1) * ((f.h.BlockSize + size - 1) / size))
	var skip []format.BlockRange
	for _, other := range before {
		for _, same := range r.sameAs(ctx, runs, other) {
			same.Start, same.End = same.Start+margin, same.End-margin
			if same.End-same.Start >= leastSkip {
				skip = append(skip, same)
			}
		}
	}
	return subtract(runs, skip)
}

// sameAs are the blocks of runs that have the same records in other, where they were
// looked at and are here still.
func (r *relative) sameAs(ctx context.Context, runs []format.BlockRange, other *relative) (out []format.BlockRange) {
	a, b := r.version.Header(), other.version.Header()
	if a.BlockSize != b.BlockSize || a.Strong != b.Strong || a.RsumLength != b.RsumLength || a.StrongLength != b.StrongLength {
		return nil
	}
	// The last block of the shorter one may be padded.
	whole := format.BlockRange{End: format.BlockID(min(a.Length, b.Length) / a.BlockSize)}
	for _, part := range intersect(intersect(runs, other.looked), []format.BlockRange{whole}) {
		for at := part.Start; at < part.End && ctx.Err() == nil; {
			run, missing := other.version.Known(at, min(part.End, at+joinStep))
			blocks := format.BlockRange{Start: at, End: at + format.BlockID(run)}
			if run > 0 {
				out = equalRecords(r.version, other.version, blocks, out)
			}
			at += format.BlockID(max(run, missing, 1))
		}
	}
	return out
}

// equalRecords appends to out the runs of blocks whose records are the same in both.
func equalRecords(a, b *blockstore.Version, blocks format.BlockRange, out []format.BlockRange) []format.BlockRange {
	of, errA := a.Records(blocks)
	than, errB := b.Records(blocks)
	if errA != nil || errB != nil {
		return out
	}
	size := int(a.Header().RecordSize())
	for id := blocks.Start; id < blocks.End; id++ {
		at := int(id-blocks.Start) * size
		if !bytes.Equal(of[at:at+size], than[at:at+size]) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].End == id {
			out[n-1].End++
		} else {
			out = append(out, format.BlockRange{Start: id, End: id + 1})
		}
	}
	return out
}

// intersect are the blocks that are in both lists, each ascending and disjoint.
func intersect(a, b []format.BlockRange) (out []format.BlockRange) {
	for len(a) > 0 && len(b) > 0 {
		if both := a[0].Intersect(b[0]); both.Count() > 0 {
			out = append(out, both)
		}
		if a[0].End < b[0].End {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// subtract are the blocks of runs, ascending and disjoint, that are not in skip.
func subtract(runs, skip []format.BlockRange) (out []format.BlockRange) {
	slices.SortFunc(skip, func(a, b format.BlockRange) int { return cmp.Compare(a.Start, b.Start) })
	for _, r := range runs {
		for len(skip) > 0 && skip[0].End <= r.Start {
			skip = skip[1:]
		}
		for _, s := range skip {
			if s.Start >= r.End {
				break
			}
			if s.Start > r.Start {
				out = append(out, format.BlockRange{Start: r.Start, End: s.Start})
			}
			r.Start = max(r.Start, s.End)
		}
		if r.Start < r.End {
			out = append(out, r)
		}
	}
	return out
}
