package seed

import (
	"bytes"
	"fmt"
	"math/bits"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// maxBlocks bounds the blocks of a target that is indexed: their numbers are kept
// in 32 bits. A target of 16 TiB in blocks of 8192 bytes has as many.
const maxBlocks = 1 << 31

// Index finds blocks of one target by their checksums. It never changes; safe
// for concurrent use.
type Index struct {
	geometry format.Geometry
	strong   checksum.Strong
	seq      int
	count    int // blocks
	rsum     int // bytes of rsum in a record
	length   int // bytes of strong checksum in a record
	mask     uint32
	records  []byte

	// single finds blocks by the rsum of one block, and blocks of equal record
	// stand side by side in it; pair by that of two neighbours: nil unless seq is 2.
	single, pair *table
	// repeated has a bit for each block that has the same record as another one.
	repeated []uint64
	// zero is a block whose record is that of a block of zeros, -1 without one.
	zero int
}

// NewIndex indexes the records of the whole target, as the control file stores
// them; it keeps records, which must not change. It uses two cores.
//
// Errors: ErrRecords, wrapped.
func NewIndex(h *format.Header, records []byte) (*Index, error) {
	g := h.Geometry()
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecords, err)
	}
	if !h.Strong.Valid() || h.RsumLength < format.MinRsumLength || h.RsumLength > format.MaxRsumLength ||
		h.StrongLength < format.MinStrongLength || h.StrongLength > h.Strong.Size() ||
		h.SeqMatches < format.MinSeqMatches || h.SeqMatches > format.MaxSeqMatches {
		return nil, fmt.Errorf("%w: lengths %s", ErrRecords, h.Lengths())
	}
	count := g.BlockCount()
	if count > maxBlocks || count > int64(len(records))/h.RecordSize() {
		return nil, fmt.Errorf("%w: %d bytes of records for %d blocks", ErrRecords, len(records), count)
	}
	x := &Index{
		geometry: g, strong: h.Strong, seq: h.SeqMatches, count: int(count),
		rsum: h.RsumLength, length: h.StrongLength, mask: h.RsumMask(), records: records,
	}
	x.build()
	return x, nil
}

// build makes what is looked up.
func (x *Index) build() {
	var wg sync.WaitGroup
	if x.seq > 1 {
		wg.Go(func() { x.pair = newTable(max(x.count-1, 0), x.pairKey, x.comparePairs) })
	}
	x.single = newTable(x.count, x.singleKey, x.compareSingles)
	x.repeated = make([]uint64, (x.count+63)/64)
	ids := x.single.ids
	for i := 1; i < len(ids); i++ {
		if a, b := int(ids[i-1]), int(ids[i]); x.sameRecord(a, b) {
			x.repeated[a>>6] |= 1 << (a & 63)
			x.repeated[b>>6] |= 1 << (b & 63)
		}
	}
	x.zero = x.findZero()
	wg.Wait()
}

// findZero is a block that has the record of zeros.
func (x *Index) findZero() int {
	if x.count == 0 {
		return -1
	}
	lo, hi := x.single.lookup(0, x.singleKey)
	if lo == hi {
		return -1
	}
	digest := x.strong.SumBlocks(nil, []byte{0}, int(x.geometry.BlockSize))
	if lo, hi = x.narrow(x.single, lo, hi, digest, 0); lo == hi {
		return -1
	}
	return int(x.single.ids[lo])
}

// shift is the binary logarithm of the block size.
func (x *Index) shift() uint { return uint(bits.TrailingZeros64(uint64(x.geometry.BlockSize))) }

// recordSize is the number of bytes of a record.
func (x *Index) recordSize() int { return x.rsum + x.length }

// record is the record of block id.
func (x *Index) record(id int) []byte {
	at := id * x.recordSize()
	return x.records[at : at+x.recordSize()]
}

// rsumOf is the rsum of block id, as far as records keep it.
func (x *Index) rsumOf(id int) uint32 {
	r := x.record(id)
	var v uint32
	for _, c := range r[:x.rsum] {
		v = v<<8 | uint32(c)
	}
	return v
}

// strongOf is the strong checksum of block id, as far as records keep it.
func (x *Index) strongOf(id int) []byte { return x.record(id)[x.rsum:] }

// singleKey is what table single is looked up by: the rsum.
func (x *Index) singleKey(id int) uint64 { return uint64(x.rsumOf(id)) }

// pairKey is what table pair is looked up by: the rsums of id and the block after it.
func (x *Index) pairKey(id int) uint64 {
	return uint64(x.rsumOf(id))<<32 | uint64(x.rsumOf(id+1))
}

// compareSingles orders blocks of equal rsum by their strong checksums.
func (x *Index) compareSingles(a, b int) int { return bytes.Compare(x.strongOf(a), x.strongOf(b)) }

// comparePairs orders blocks of equal pairKey by the strong checksums of both blocks.
func (x *Index) comparePairs(a, b int) int {
	if c := x.compareSingles(a, b); c != 0 {
		return c
	}
	return x.compareSingles(a+1, b+1)
}

// sameRecord says whether a and b are of one class: equal records.
func (x *Index) sameRecord(a, b int) bool { return bytes.Equal(x.record(a), x.record(b)) }

// isRepeated says whether another block has the same record as id.
func (x *Index) isRepeated(id int) bool { return x.repeated[id>>6]&(1<<(id&63)) != 0 }

// class is the part of table single that holds the blocks of id's record.
func (x *Index) class(id int) (lo, hi int) {
	lo, hi = x.single.lookup(x.singleKey(id), x.singleKey)
	return x.narrow(x.single, lo, hi, x.strongOf(id), 0)
}
