package checksum

// RsumOffsets sets dst[i] to the full rsum (A<<16 | B) of the block of 1<<shift
// bytes that starts at data[i], for every i < len(dst). len(data) is at least
// len(dst)-1 + 1<<shift unless dst is empty, and shift at most 30; it panics
// otherwise. It takes no memory. Safe for concurrent use.
func RsumOffsets(dst []uint32, data []byte, shift uint) {
	if len(dst) == 0 {
		return
	}
	r := RsumBlock(data[:1<<shift], 1<<shift)
	dst[0] = r.Uint32()
	offsetsScalar(dst[1:], data, data[1<<shift:], shift, r)
}

// offsetsScalar rolls r over out and in, the bytes that leave and enter, and
// sets dst[i] to what r is after out[i] and in[i].
func offsetsScalar(dst []uint32, out, in []byte, shift uint, r Rsum) {
	a, b := uint32(r.A), uint32(r.B)
	out, in = out[:len(dst)], in[:len(dst)]
	// Sums mod 2^32 need no masks between the steps, and a and b are a chain of
	// one addition each.
	for i := range dst {
		x := uint32(out[i])
		a += uint32(in[i]) - x
		b += a - x<<(shift&31)
		dst[i] = a<<16 | b&0xffff
	}
}
