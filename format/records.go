package format

import (
	"bytes"
	"sync"
)

// Records are records of consecutive blocks, as a control file stores them. It
// is a view of bytes that it does not own. Safe for concurrent use.
type Records struct {
	data         []byte
	rsum, strong int
}

// Records is a view of raw, which starts at a record. Bytes after the last
// whole record are not looked at.
func (h *Header) Records(raw []byte) Records {
	if !h.usable() {
		return Records{rsum: 1, strong: 1}
	}
	return Records{data: raw, rsum: h.RsumLength, strong: h.StrongLength}
}

// Count is the number of whole records.
func (r Records) Count() int { return len(r.data) / (r.rsum + r.strong) }

// Rsum is the rsum of record i, to be compared with a full rsum under the
// header's RsumMask. i is in [0, Count).
func (r Records) Rsum(i int) uint32 {
	at := i * (r.rsum + r.strong)
	var v uint32
	for _, c := range r.data[at : at+r.rsum] {
		v = v<<8 | uint32(c)
	}
	return v
}

// Strong is the strong checksum of record i, StrongLength bytes; a part of the
// bytes that Records was given. i is in [0, Count).
func (r Records) Strong(i int) []byte {
	at := i*(r.rsum+r.strong) + r.rsum
	return r.data[at : at+r.strong : at+r.strong]
}

// RsumMask has the bits of a full rsum (a<<16 | b) that records keep: with r
// bytes the last r of its four, so with 2 all of b and nothing of a.
func (h *Header) RsumMask() uint32 {
	return uint32(1<<(8*uint(min(max(h.RsumLength, 0), MaxRsumLength))) - 1)
}

// verifyBatch is how many blocks are summed before they are compared: enough
// for every lane of a checksum kernel, and few to throw away when one is wrong.
const verifyBatch = 32

// sums are buffers for the strong checksums of one batch.
var sums = sync.Pool{New: func() any { return new([verifyBatch * maxDigestSize]byte) }}

// VerifyBlocks checks data, which starts at block first and holds whole blocks
// (the target's last may be short), against records, the same blocks' records
// as the control file stores them. It returns how many blocks match their
// strong checksum before the first that does not, or for which there is no
// record or no whole block of data. The rsum is not looked at: it says nothing
// that the strong checksum does not. Safe for concurrent use.
func (h *Header) VerifyBlocks(first BlockID, data, records []byte) int {
	if !h.usable() || first < 0 || int64(first) >= h.Geometry().BlockCount() {
		return 0
	}
	g, view := h.Geometry(), h.Records(records)
	rest := g.Length - g.Offset(first)
	whole := int64(len(data)) / g.BlockSize
	if int64(len(data)) >= rest {
		data = data[:rest]
		whole = g.BlockCount() - int64(first)
	}
	count := int(min(whole, int64(view.Count())))

	buf := sums.Get().(*[verifyBatch * maxDigestSize]byte)
	defer sums.Put(buf)
	size, block := h.Strong.Size(), int(g.BlockSize)
	for done := 0; done < count; done += verifyBatch {
		n := min(verifyBatch, count-done)
		part := data[done*block : min((done+n)*block, len(data))]
		digests := h.Strong.SumBlocks(buf[:0], part, block)
		for i := range n {
			if !bytes.Equal(digests[i*size:i*size+h.StrongLength], view.Strong(done+i)) {
				return done + i
			}
		}
	}
	return count
}
