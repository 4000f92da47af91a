package checksum

import (
	"iter"
	"slices"
	"sync"
)

// TargetSums computes, in one pass over a target, the digests of the whole and
// both checksums of each block. It uses several cores when it is given a MiB
// or more at a time, and none when nothing is written. Not safe for concurrent
// use.
type TargetSums struct {
	strong    Strong
	blockSize int
	digests   *Digests
	piece     []byte // bytes that wait for a whole piece; its capacity is a piece's size
	pages     [][]byte
}

// pieceSize is how many bytes are summed at a time at least, but for the last.
const pieceSize = 1 << 20

// NewTargetSums sums blocks of blockSize bytes (a power of two, positive).
func NewTargetSums(strong Strong, blockSize int, digests ...Digest) *TargetSums {
	return &TargetSums{strong: strong, blockSize: blockSize, digests: NewDigests(digests...)}
}

// Write takes the next bytes of the target; it never fails.
func (t *TargetSums) Write(p []byte) (int, error) {
	n := len(p)
	size := max(pieceSize, t.blockSize)
	for len(p) > 0 {
		if len(t.piece) == 0 && len(p) >= size {
			whole := len(p) - len(p)%t.blockSize
			t.sum(p[:whole])
			p = p[whole:]
			continue
		}
		if t.piece == nil {
			t.piece = make([]byte, 0, size)
		}
		k := min(len(p), size-len(t.piece))
		t.piece = append(t.piece, p[:k]...)
		p = p[k:]
		if len(t.piece) == size {
			t.sum(t.piece)
			t.piece = t.piece[:0]
		}
	}
	return n, nil
}

// Finish sums what is left, the last block padded with zeros. Nothing may be
// written after it.
func (t *TargetSums) Finish() {
	if len(t.piece) > 0 {
		t.sum(t.piece)
	}
	t.piece = nil
}

// Digest is the digest of the whole target; nil when NewTargetSums was not
// given it. After Finish.
func (t *TargetSums) Digest(d Digest) []byte { return t.digests.Sum(d) }

// Records are the records of all blocks in order, in pages of whole records:
// four bytes of rsum and the whole strong checksum each. The pages must not be
// changed. After Finish.
func (t *TargetSums) Records() iter.Seq[[]byte] { return slices.Values(t.pages) }

// sliceSize is how many bytes of blocks one core takes at a time: with blocks of
// 4096 bytes, as many as fill the widest kernel.
const sliceSize = 128 << 10

// sum takes p, which is whole blocks unless it is the target's end.
func (t *TargetSums) sum(p []byte) {
	step := max(sliceSize, t.blockSize)
	slices := (len(p) + step - 1) / step
	blocks := (len(p) + t.blockSize - 1) / t.blockSize
	page := make([]byte, blocks*(4+t.strong.Size()))
	t.pages = append(t.pages, page)

	records := func(i int) {
		from := i * step
		at := from / t.blockSize * (4 + t.strong.Size())
		t.records(page[at:], p[from:min(from+step, len(p))])
	}
	// The digests of the whole are the longest tasks and cannot be split, so
	// they start first; the slices fill up the other cores.
	whole := t.digests.hashes
	if len(p) < parallelSize {
		for _, h := range whole {
			h.Write(p)
		}
		for i := range slices {
			records(i)
		}
		return
	}
	parallel(len(whole)+slices, func(i int) {
		if i < len(whole) {
			whole[i].Write(p)
			return
		}
		records(i - len(whole))
	})
}

// sliceSums are buffers for the checksums of one slice.
var sliceSums = sync.Pool{New: func() any { return new([]byte) }}

// records writes the records of the blocks of p to the start of dst.
func (t *TargetSums) records(dst, p []byte) {
	buf := sliceSums.Get().(*[]byte)
	defer sliceSums.Put(buf)
	size := t.strong.Size()
	*buf = RsumBlocks((*buf)[:0], p, t.blockSize)
	count := len(*buf) / 4
	*buf = t.strong.SumBlocks(*buf, p, t.blockSize)
	rsums, strongs := (*buf)[:4*count], (*buf)[4*count:]
	for i := range count {
		at := i * (4 + size)
		copy(dst[at:], rsums[4*i:4*i+4])
		copy(dst[at+4:], strongs[i*size:(i+1)*size])
	}
}
