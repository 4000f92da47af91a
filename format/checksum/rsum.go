package checksum

import "encoding/binary"

// Rsum is the rolling checksum of a block of B bytes x: A is the sum of x[i], B
// the sum of (B-i)*x[i], both mod 2^16. The zero value is that of no bytes.
type Rsum struct{ A, B uint16 }

// RsumBlock is the rsum of block, padded with zeros to blockSize bytes.
// len(block) <= blockSize.
func RsumBlock(block []byte, blockSize int) Rsum {
	return rsumOf(best, block).pad(blockSize - len(block))
}

// pad is the rsum after count zeros more: they add nothing to A, and A to B for
// each of them.
func (r Rsum) pad(count int) Rsum {
	r.B += r.A * uint16(count)
	return r
}

// join is the rsum of the bytes of r and of the next ones, len(next) of them.
func (r Rsum) join(next Rsum, count int) Rsum {
	r = r.pad(count)
	return Rsum{A: r.A + next.A, B: r.B + next.B}
}

// rsumOf is the rsum of p alone.
func rsumOf(v variant, p []byte) (r Rsum) {
	for v != scalar && len(p) >= rsumStep {
		// A goroutine cannot be stopped within a call of a kernel.
		n := min(len(p)&^(rsumStep-1), 256<<10)
		r = r.join(v.rsum(&p[0], n/rsumStep), n)
		p = p[n:]
	}
	return r.join(rsumScalar(p), len(p))
}

// rsumStep is of how many bytes a kernel for the rsum takes multiples.
const rsumStep = 64

// Uint32 is the full form, A<<16 | B: big endian, these are the four bytes of
// which a record keeps the last ones.
func (r Rsum) Uint32() uint32 { return uint32(r.A)<<16 | uint32(r.B) }

// Roll is the rsum of the block one byte further on: out leaves at the front,
// in comes at the end. The block's size is 1<<shift bytes.
func (r Rsum) Roll(out, in byte, shift uint) Rsum {
	r.A += uint16(in) - uint16(out)
	r.B += r.A - uint16(out)<<shift
	return r
}

// RsumBlocks appends to dst the full rsums (4 bytes each, big endian) of the
// blocks of data, blockSize bytes each; the last, if shorter, is padded with
// zeros. blockSize is positive. Safe for concurrent use.
func RsumBlocks(dst, data []byte, blockSize int) []byte {
	return rsumBlocks(best, dst, data, blockSize)
}

func rsumBlocks(v variant, dst, data []byte, blockSize int) []byte {
	for len(data) > 0 {
		n := min(blockSize, len(data))
		r := rsumOf(v, data[:n]).pad(blockSize - n)
		dst = binary.BigEndian.AppendUint32(dst, r.Uint32())
		data = data[n:]
	}
	return dst
}

// rsumScalar is the rsum of p alone, without kernels.
func rsumScalar(p []byte) Rsum {
	var a, b uint32
	// Eight bytes a step: the sum over the step moves b by 8*a and by the
	// bytes' own weights, which breaks the chain of additions through b.
	for len(p) >= 8 {
		x := p[:8:8]
		x0, x1, x2, x3 := uint32(x[0]), uint32(x[1]), uint32(x[2]), uint32(x[3])
		x4, x5, x6, x7 := uint32(x[4]), uint32(x[5]), uint32(x[6]), uint32(x[7])
		b += 8*a + (8*x0 + 7*x1) + (6*x2 + 5*x3) + (4*x4 + 3*x5) + (2*x6 + x7)
		a += (x0 + x1 + x2 + x3) + (x4 + x5 + x6 + x7)
		p = p[8:]
	}
	for _, x := range p {
		a += uint32(x)
		b += a
	}
	return Rsum{A: uint16(a), B: uint16(b)}
}
