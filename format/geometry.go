package format

import "fmt"

// BlockID is the index of a block in its target, from 0.
type BlockID int64

// Range is the half-open range of bytes [Start, End).
type Range struct{ Start, End int64 }

// Length is the number of bytes in r; 0 when r is empty.
func (r Range) Length() int64 { return max(r.End-r.Start, 0) }

func (r Range) String() string { return fmt.Sprintf("[%d,%d)", r.Start, r.End) }

// BlockRange is the half-open range of blocks [Start, End).
type BlockRange struct{ Start, End BlockID }

// Count is the number of blocks in r; 0 when r is empty.
func (r BlockRange) Count() int64 { return max(int64(r.End-r.Start), 0) }

// Intersect is the part of r that lies in o as well; empty when none does.
func (r BlockRange) Intersect(o BlockRange) BlockRange {
	out := BlockRange{Start: max(r.Start, o.Start), End: min(r.End, o.End)}
	if out.End < out.Start {
		out.End = out.Start
	}
	return out
}

func (r BlockRange) String() string { return fmt.Sprintf("blocks [%d,%d)", r.Start, r.End) }

// Geometry is how a target is cut into blocks. All offset and block arithmetic
// of the project is done by its methods.
type Geometry struct {
	// Length is the length of the target in bytes, in [0, MaxLength].
	Length int64
	// BlockSize is the length of every block but the last, in bytes: a power of
	// two in [MinBlockSize, MaxBlockSize].
	BlockSize int64
}

// Validate is nil when Length and BlockSize are within their bounds. The other
// methods rely on that.
func (g Geometry) Validate() error {
	if g.Length < 0 || g.Length > MaxLength {
		return fmt.Errorf("length %d is not between 0 and %d", g.Length, int64(MaxLength))
	}
	if err := checkBlockSize(g.BlockSize); err != nil {
		return fmt.Errorf("block size %w", err)
	}
	return nil
}

// BlockCount is the number of blocks: ceil(Length/BlockSize), 0 for an empty target.
func (g Geometry) BlockCount() int64 {
	if g.Length == 0 {
		return 0
	}
	return (g.Length-1)/g.BlockSize + 1
}

// All is the range of every block of the target.
func (g Geometry) All() BlockRange { return BlockRange{End: BlockID(g.BlockCount())} }

// Offset is where block id starts in the target, in bytes.
func (g Geometry) Offset(id BlockID) int64 { return int64(id) * g.BlockSize }

// BlockLength is the number of bytes of block id that lie in the target; only
// the last block's can be less than BlockSize.
func (g Geometry) BlockLength(id BlockID) int64 {
	return min(g.BlockSize, g.Length-g.Offset(id))
}

// Block is the block that byte off lies in.
func (g Geometry) Block(off int64) BlockID { return BlockID(off / g.BlockSize) }

// Covering is the smallest range of blocks that holds every byte of r that
// lies in the target.
func (g Geometry) Covering(r Range) BlockRange {
	end := min(r.End, g.Length)
	if r.Start >= end {
		id := BlockID(min(r.Start, g.Length) / g.BlockSize)
		return BlockRange{Start: id, End: id}
	}
	return BlockRange{Start: g.Block(r.Start), End: g.Block(end-1) + 1}
}

// Bytes is the range of bytes that the blocks of r take up, cut at Length.
func (g Geometry) Bytes(r BlockRange) Range {
	if r.Count() == 0 {
		off := min(g.Offset(r.Start), g.Length)
		return Range{Start: off, End: off}
	}
	return Range{Start: g.Offset(r.Start), End: min(g.Offset(r.End), g.Length)}
}

// Part is the i-th (from 0) of n parts of all blocks, which are as equal as can be. n is at
// least 1, and at most 1<<20.
func (g Geometry) Part(i, n int) BlockRange {
	// Blocks times n may be more than an int64 holds.
	whole, rest := g.BlockCount()/int64(n), g.BlockCount()%int64(n)
	start := func(i int64) BlockID { return BlockID(whole*i + rest*i/int64(n)) }
	return BlockRange{Start: start(int64(i)), End: start(int64(i) + 1)}
}

// PartOf is which of n parts has block id, by Part. It must be one of the target's.
func (g Geometry) PartOf(id BlockID, n int) int {
	i := min(int(float64(id)/float64(g.BlockCount())*float64(n)), n-1) // or one beside it
	for i > 0 && g.Part(i, n).Start > id {
		i--
	}
	for i < n-1 && g.Part(i, n).End <= id {
		i++
	}
	return i
}
