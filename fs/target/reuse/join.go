package reuse

import (
	"bytes"
	"cmp"
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

// pairs are what one comparison found: blocks of this version and those of a
// relative that have the same records.
type pairs struct {
	runs []pairRun
	// claimed has a bit for each block of this version that was found.
	claimed []uint64
	// repeated are the first of the blocks of equal record that were found.
	repeated map[format.BlockID]bool
}

// pairRun is count blocks from id on, which are those of a relative from other on.
type pairRun struct {
	id, other format.BlockID
	count     int64
}

func (f *Finder) newPairs() *pairs {
	return &pairs{claimed: make([]uint64, (f.geo.BlockCount()+63)/64), repeated: map[format.BlockID]bool{}}
}

// add adds a pair, unless the block has one.
func (p *pairs) add(id, other format.BlockID) {
	if p.claimed[id/64]&(1<<(id%64)) != 0 {
		return
	}
	p.claimed[id/64] |= 1 << (id % 64)
	if n := len(p.runs); n > 0 {
		last := &p.runs[n-1]
		if next := format.BlockID(last.count); last.id+next == id && last.other+next == other {
			last.count++
			return
		}
	}
	p.runs = append(p.runs, pairRun{id, other, 1})
}

// joinWith compares all records that a relative has of blocks that are here, and
// shares what is found.
func (f *Finder) joinWith(ctx context.Context, r *relative, compare comparison) error {
	found := f.newPairs()
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
	return f.share(r, found.runs)
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
			out.add(id, id)
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
				out.add(format.BlockID(one), id)
			}
		}
	}
	return nil
}

// share has the version refer to the relative for the blocks of found, as far as
// runs of them are long enough to be believed, and takes them from what is missing.
func (f *Finder) share(r *relative, found []pairRun) error {
	slices.SortFunc(found, func(a, b pairRun) int { return cmp.Compare(a.id, b.id) })
	var runs []blockstore.Shared
	for len(found) > 0 {
		run := found[0]
		for found = found[1:]; len(found) > 0; found = found[1:] {
			next := format.BlockID(run.count)
			if found[0].id != run.id+next || found[0].other != run.other+next {
				break
			}
			run.count += found[0].count
		}
		if run.count >= int64(f.leastRun) {
			blocks := format.BlockRange{Start: run.id, End: run.id + format.BlockID(run.count)}
			runs = append(runs, blockstore.Shared{Blocks: blocks, Off: f.geo.Offset(run.other)})
		}
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
