package reuse

import (
	"bytes"
	"context"
	"slices"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// joinStep is how many records of a relative are read at once.
const joinStep = 1 << 16

// joinSamePlace and joinAnyPlace hold the control tables of relatives against this
// version's.
func (f *Finder) joinSamePlace(ctx context.Context, relatives []*relative) error {
	return f.join(ctx, relatives, f.samePlace)
}

func (f *Finder) joinAnyPlace(ctx context.Context, relatives []*relative) error {
	return f.join(ctx, relatives, f.anyPlace)
}

// comparison finds pairs among the blocks of a relative, whose records are given.
type comparison func(r *relative, blocks format.BlockRange, records []byte, out *pairs) error

func (f *Finder) join(ctx context.Context, relatives []*relative, compare comparison) error {
	for _, r := range relatives {
		if f.o.Missing.Count() == 0 {
			return nil
		}
		if !f.comparable(r.version.Header()) {
			continue
		}
		if err := f.joinWith(ctx, r, compare); err != nil {
			return err
		}
	}
	return nil
}

// comparable says whether records of h can be held against this version's.
func (f *Finder) comparable(h *format.Header) bool {
	return h.BlockSize == f.h.BlockSize && h.Strong == f.h.Strong
}

// pair is a block of this version and one of a relative that has the same records.
type pair struct{ id, other format.BlockID }

// pairs are what one comparison found.
type pairs struct {
	all []pair
	// repeated are the first of the blocks of equal record that were found.
	repeated map[format.BlockID]bool
}

// joinWith compares all records that a relative has of blocks that are here, and
// shares what is found.
func (f *Finder) joinWith(ctx context.Context, r *relative, compare comparison) error {
	found := &pairs{repeated: map[format.BlockID]bool{}}
	end := r.version.Header().Geometry().All().End
	for b := format.BlockID(0); b < end; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		run, missing := r.version.Known(b, min(end, b+joinStep))
		if run > 0 {
			blocks := format.BlockRange{Start: b, End: b + format.BlockID(run)}
			records, err := r.version.Records(blocks)
			if err == nil {
				err = compare(r, blocks, records, found)
			}
			if err != nil {
				return err
			}
		}
		b += format.BlockID(max(run, missing, 1))
	}
	return f.share(r, found.all)
}

// samePlace finds blocks that are the same at the same place, as far as both
// tables keep their checksums.
func (f *Finder) samePlace(r *relative, blocks format.BlockRange, records []byte, out *pairs) error {
	h := r.version.Header()
	rsum, strong := min(h.RsumLength, f.h.RsumLength), min(h.StrongLength, f.h.StrongLength)
	own, other := int(f.h.RecordSize()), int(h.RecordSize())
	for id := blocks.Start; id < min(blocks.End, f.geo.All().End); id++ {
		a := f.o.Records[int(id)*own:][:own]
		b := records[int(id-blocks.Start)*other:][:other]
		if bytes.Equal(a[f.h.RsumLength-rsum:f.h.RsumLength+strong], b[h.RsumLength-rsum:h.RsumLength+strong]) && f.o.Missing.Has(id) {
			out.all = append(out.all, pair{id, id})
		}
	}
	return nil
}

// anyPlace finds blocks that are the same at any place: only where the relative
// keeps as much of its checksums as this version. Blocks of which this version has
// one at the same place are taken to be the same, and not looked up.
func (f *Finder) anyPlace(r *relative, blocks format.BlockRange, records []byte, out *pairs) error {
	h := r.version.Header()
	if h.RsumLength < f.h.RsumLength || h.StrongLength < f.h.StrongLength {
		return nil
	}
	index, err := f.makeIndex()
	if err != nil {
		return err
	}
	size := int(h.RecordSize())
	for id := blocks.Start; id < blocks.End; id++ {
		if id < f.geo.All().End && !f.o.Missing.Has(id) {
			continue
		}
		record := records[int(id-blocks.Start)*size:][:size]
		same := index.Blocks(record[h.RsumLength-f.h.RsumLength : h.RsumLength+f.h.StrongLength])
		if len(same) > 1 {
			// There may be millions of them: they are looked at once.
			if first := format.BlockID(same[0]); out.repeated[first] {
				continue
			} else {
				out.repeated[first] = true
			}
		}
		for _, one := range same {
			if f.o.Missing.Has(format.BlockID(one)) {
				out.all = append(out.all, pair{format.BlockID(one), id})
			}
		}
	}
	return nil
}

// share has the version refer to the relative for the blocks of found, as far as
// runs of them are long enough to be believed, and takes them from what is missing.
func (f *Finder) share(r *relative, found []pair) error {
	slices.SortStableFunc(found, func(a, b pair) int { return int(a.id - b.id) })
	found = slices.CompactFunc(found, func(a, b pair) bool { return a.id == b.id })
	var runs []blockstore.Shared
	for len(found) > 0 {
		n := 1
		for n < len(found) && found[n].id == found[n-1].id+1 && found[n].other == found[n-1].other+1 {
			n++
		}
		if n >= f.leastRun {
			blocks := format.BlockRange{Start: found[0].id, End: found[0].id + format.BlockID(n)}
			runs = append(runs, blockstore.Shared{Blocks: blocks, Off: f.geo.Offset(found[0].other)})
		}
		found = found[n:]
	}
	return f.shareRuns(r, runs)
}

// shareRuns shares runs, which are missing, and takes from what is missing those
// that are here then.
func (f *Finder) shareRuns(r *relative, runs []blockstore.Shared) error {
	if len(runs) == 0 {
		return nil
	}
	if f.o.Version != nil {
		if _, err := f.o.Version.Share(r.version, runs); err != nil {
			return &StoreError{err}
		}
	}
	for _, run := range runs {
		f.takeKnown(run.Blocks)
	}
	return nil
}

// takeKnown takes those of blocks that are here from what is missing; all of them
// when nothing is kept.
func (f *Finder) takeKnown(blocks format.BlockRange) {
	for b := blocks.Start; b < blocks.End; {
		run, missing := blocks.Count(), int64(0)
		if f.o.Version != nil {
			run, missing = f.o.Version.Known(b, blocks.End)
		}
		for id := b; id < b+format.BlockID(run); id++ {
			if f.o.Missing.Take(id) {
				f.o.Found(f.geo.BlockLength(id))
			}
		}
		b += format.BlockID(max(run, missing, 1))
	}
}
