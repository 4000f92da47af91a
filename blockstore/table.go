package blockstore

import "github.com/zsyncfs/zsyncfs/format"

// place says where a block's bytes are.
type place uint8

const (
	// nowhere: the block is not here.
	nowhere place = iota
	// ownSegment: at its own offset in the version's data file. (The place of a
	// block that another version's segment has is the next value.)
	ownSegment
)

// run is a run of neighbouring blocks of which the same is true.
type run struct {
	end     format.BlockID
	at      place
	checked bool
}

// table is the location table of one version: where each block is, and
// whether it has been checked against its record since Open. 2 bits a block.
// Not safe for concurrent use.
type table struct {
	geometry format.Geometry
	blocks   int64
	own      bitset
	checked  bitset
	count    int64 // bits set in own
}

func newTable(g format.Geometry) *table {
	n := g.BlockCount()
	return &table{geometry: g, blocks: n, own: newBitset(n), checked: newBitset(n)}
}

// run is the run that starts with block b and ends at end at the latest.
func (t *table) run(b, end format.BlockID) run {
	if !t.own.has(int64(b)) {
		return run{end: format.BlockID(t.own.next(true, int64(b), int64(end)))}
	}
	checked := t.checked.has(int64(b))
	stop := t.own.next(false, int64(b), int64(end))
	return run{end: format.BlockID(t.checked.next(!checked, int64(b), stop)), at: ownSegment, checked: checked}
}

// put says that blocks r are in the own segment.
func (t *table) put(r format.BlockRange, checked bool) {
	t.count += t.own.set(int64(r.Start), int64(r.End))
	if checked {
		t.checked.set(int64(r.Start), int64(r.End))
	}
}

// forget says that blocks r are nowhere, and returns how many were somewhere.
func (t *table) forget(r format.BlockRange) int64 {
	n := t.own.clear(int64(r.Start), int64(r.End))
	t.checked.clear(int64(r.Start), int64(r.End))
	t.count -= n
	return n
}

// bytes is the number of bytes of the blocks that are here.
func (t *table) bytes() int64 {
	return blockBytes(t.geometry, t.count, t.blocks > 0 && t.own.has(t.blocks-1))
}

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
