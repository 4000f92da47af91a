package blockstore

import (
	"cmp"
	"slices"
	"sort"

	"github.com/zsyncfs/zsyncfs/format"
)

// place says where a block's bytes are.
type place uint8

const (
	// nowhere: the block is not here.
	nowhere place = iota
	// ownSegment: at its own offset in the version's data file.
	ownSegment
	// otherSegment: somewhere in the data file of another version.
	otherSegment
)

// run is a run of neighbouring blocks of which the same is true, and whose bytes
// lie one behind the other.
type run struct {
	end     format.BlockID
	at      place
	checked bool
	segment *segment // of otherSegment
	off     int64    // where the first block's bytes begin in the file
}

// shared is a run of blocks whose bytes lie in another version's data file, one
// behind the other from off on, not always at a block's offset there.
type shared struct {
	blocks  format.BlockRange
	segment *segment
	off     int64
}

// table is the location table of one version: where each block is, and
// whether it has been checked against its record since Open. At most 2 bits a block, and
// with shared runs 3 and 40 bytes a run; less where neighbours are alike (bitset). Not safe for concurrent use.
type table struct {
	geometry format.Geometry
	blocks   int64
	here     *bitset // in any place; the same memory as own unless apart
	apart    bool    // something is shared, or was
	own      *bitset
	checked  *bitset
	count    int64    // bits set in here
	shared   []shared // ascending, disjoint, none of own
}

func newTable(g format.Geometry) *table {
	n := g.BlockCount()
	t := &table{geometry: g, blocks: n, own: newBitset(n), checked: newBitset(n)}
	t.here = t.own
	return t
}

// run is the run that starts with block b and ends at end at the latest.
func (t *table) run(b, end format.BlockID) run {
	if !t.here.has(int64(b)) {
		return run{end: format.BlockID(t.here.next(true, int64(b), int64(end)))}
	}
	r := run{at: ownSegment, off: t.geometry.Offset(b)}
	if t.own.has(int64(b)) {
		r.end = format.BlockID(t.own.next(false, int64(b), int64(end)))
	} else {
		s := t.shared[t.sharedFrom(b)]
		r = run{at: otherSegment, segment: s.segment, end: min(end, s.blocks.End)}
		r.off = s.off + int64(b-s.blocks.Start)*t.geometry.BlockSize
	}
	r.checked = t.checked.has(int64(b))
	r.end = format.BlockID(t.checked.next(!r.checked, int64(b), int64(r.end)))
	return r
}

// sharedFrom is the index of the first shared run that ends after b.
func (t *table) sharedFrom(b format.BlockID) int {
	return sort.Search(len(t.shared), func(i int) bool { return t.shared[i].blocks.End > b })
}

// put says that blocks r are in the own segment.
func (t *table) put(r format.BlockRange, checked bool) {
	t.cutShared(r)
	t.count += t.here.set(int64(r.Start), int64(r.End))
	t.own.set(int64(r.Start), int64(r.End))
	if checked {
		t.checked.set(int64(r.Start), int64(r.End))
	}
}

// forget says that blocks r are nowhere, and returns how many were somewhere.
func (t *table) forget(r format.BlockRange) int64 {
	t.cutShared(r)
	n := t.here.clear(int64(r.Start), int64(r.End))
	t.own.clear(int64(r.Start), int64(r.End))
	t.checked.clear(int64(r.Start), int64(r.End))
	t.count -= n
	return n
}

// unknown appends to out the parts of s that are nowhere.
func (t *table) unknown(s shared, out []shared) []shared {
	last := int64(s.blocks.End)
	for b := int64(s.blocks.Start); b < last; {
		first := t.here.next(false, b, last)
		end := t.here.next(true, first, last)
		if first < end {
			off := s.off + (first-int64(s.blocks.Start))*t.geometry.BlockSize
			out = append(out, shared{blocks: format.BlockRange{Start: format.BlockID(first), End: format.BlockID(end)}, segment: s.segment, off: off})
		}
		b = end
	}
	return out
}

// missing is how many of blocks r, which the target has, are nowhere.
func (t *table) missing(r format.BlockRange) (n int64) {
	last := int64(r.End)
	for b := t.here.next(false, int64(r.Start), last); b < last; {
		end := t.here.next(true, b, last)
		n += end - b
		b = t.here.next(false, end, last)
	}
	return n
}

// share says where runs of blocks are that are nowhere by now; runs are ascending.
// They count as checked when checked says so.
func (t *table) share(runs []shared, checked bool) {
	if len(runs) == 0 {
		return
	}
	if !t.apart {
		t.here, t.apart = t.own.clone(), true
	}
	for _, s := range runs {
		start, end := int64(s.blocks.Start), int64(s.blocks.End)
		t.count += t.here.set(start, end)
		if checked {
			t.checked.set(start, end)
		}
	}
	t.shared = mergeShared(t.shared, runs, t.geometry.BlockSize)
}

// mergeShared is both lists, which are sorted, in one that is disjoint, with runs that
// go on joined. Of a block that is in several runs, as the same bytes may lie in several
// places, the first is taken.
func mergeShared(a, b []shared, blockSize int64) []shared {
	out := make([]shared, 0, len(a)+len(b))
	add := func(s shared) {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if twice := last.blocks.End - s.blocks.Start; twice > 0 {
				s.off += int64(twice) * blockSize
				s.blocks.Start = last.blocks.End
			}
			if s.blocks.Count() <= 0 {
				return
			}
			next := last.off + last.blocks.Count()*blockSize
			if last.blocks.End == s.blocks.Start && last.segment == s.segment && next == s.off {
				last.blocks.End = s.blocks.End
				return
			}
		}
		out = append(out, s)
	}
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].blocks.Start < b[0].blocks.Start {
			add(a[0])
			a = a[1:]
		} else {
			add(b[0])
			b = b[1:]
		}
	}
	return out
}

// cutShared takes blocks r off the shared runs. Who calls says where they are then.
func (t *table) cutShared(r format.BlockRange) {
	i := t.sharedFrom(r.Start)
	j := i
	var left []shared
	for ; j < len(t.shared) && t.shared[j].blocks.Start < r.End; j++ {
		s := t.shared[j]
		if s.blocks.Start < r.Start {
			head := s
			head.blocks.End = r.Start
			left = append(left, head)
		}
		if s.blocks.End > r.End {
			tail := s
			tail.off += int64(r.End-s.blocks.Start) * t.geometry.BlockSize
			tail.blocks.Start = r.End
			left = append(left, tail)
		}
	}
	if j > i {
		t.shared = slices.Replace(t.shared, i, j, left...)
	}
}

// sharedIn are the parts of the shared runs that lie in r.
func (t *table) sharedIn(r format.BlockRange) (out []shared) {
	for i := t.sharedFrom(r.Start); i < len(t.shared) && t.shared[i].blocks.Start < r.End; i++ {
		s := t.shared[i]
		part := s.blocks.Intersect(r)
		s.off += int64(part.Start-s.blocks.Start) * t.geometry.BlockSize
		s.blocks = part
		out = append(out, s)
	}
	return out
}

// bytes is the number of bytes of the blocks that are here, and of those that
// are in the own segment.
func (t *table) bytes() (here, own int64) {
	last := t.blocks - 1
	here = blockBytes(t.geometry, t.count, t.blocks > 0 && t.here.has(last))
	if len(t.shared) == 0 {
		return here, here
	}
	return here, blockBytes(t.geometry, t.own.count(), t.own.has(last))
}

// recount counts the blocks that are here, after own was filled.
func (t *table) recount() { t.count = t.here.count() }

// blockBytes is the length of count blocks; last says whether the target's
// last block, which may be short, is one of them.
func blockBytes(g format.Geometry, count int64, last bool) int64 {
	n := count * g.BlockSize
	if last {
		n -= g.BlockSize - g.BlockLength(format.BlockID(g.BlockCount()-1))
	}
	return n
}

// clip is the part of r that the target has.
func (t *table) clip(r format.BlockRange) format.BlockRange {
	return r.Intersect(format.BlockRange{End: format.BlockID(t.blocks)})
}

// settleOwn makes the table whole again after bits of own were set from the disk:
// what is in the own segment is not shared.
func (t *table) settleOwn() {
	if t.apart {
		for b := t.own.next(true, 0, t.blocks); b < t.blocks; {
			end := t.own.next(false, b, t.blocks)
			t.cutShared(format.BlockRange{Start: format.BlockID(b), End: format.BlockID(end)})
			t.here.set(b, end)
			b = t.own.next(true, end, t.blocks)
		}
	}
	t.recount()
}

// lend says that own blocks are about to be shared: share must follow.
func (t *table) lend(s shared) {
	if !t.apart {
		t.here, t.apart = t.own.clone(), true
	}
	t.own.clear(int64(s.blocks.Start), int64(s.blocks.End))
}

func sortShared(runs []shared) {
	slices.SortFunc(runs, func(a, b shared) int { return cmp.Compare(a.blocks.Start, b.blocks.Start) })
}
