package packing

import "encoding/binary"

// bitWriter appends bits to out, the first in the lowest bit of a byte.
type bitWriter struct {
	out   []byte
	bits  uint64 // those that are not in out yet
	count uint   // how many; less than 32
}

// position is how many bits there are.
func (b *bitWriter) position() int64 { return 8*int64(len(b.out)) + int64(b.count) }

// add appends the lowest n bits of v, at most 32; those above must be 0.
func (b *bitWriter) add(v uint64, n uint) {
	b.bits |= v << b.count
	if b.count += n; b.count >= 32 {
		b.out = binary.LittleEndian.AppendUint32(b.out, uint32(b.bits))
		b.bits >>= 32
		b.count -= 32
	}
}

// align fills up a byte with zeros, and leaves nothing outside of out.
func (b *bitWriter) align() {
	for n := int(b.count); n > 0; n -= 8 {
		b.out = append(b.out, byte(b.bits))
		b.bits >>= 8
	}
	b.bits, b.count = 0, 0
}

// copy appends the bits [from, to) of src, which has 8 more bytes than those.
func (b *bitWriter) copy(src []byte, from, to int64) {
	for from < to {
		n := uint(min(32, to-from))
		v := binary.LittleEndian.Uint64(src[from>>3:]) >> (from & 7)
		b.add(v&(1<<n-1), n)
		from += int64(n)
	}
}

// stored appends a stored block with data, at most 65535 bytes.
func (b *bitWriter) stored(data []byte) {
	b.add(0, 3)
	b.align()
	b.out = binary.LittleEndian.AppendUint16(b.out, uint16(len(data)))
	b.out = binary.LittleEndian.AppendUint16(b.out, ^uint16(len(data)))
	b.out = append(b.out, data...)
}
