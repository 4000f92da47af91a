package checksum

import "math/bits"

// RsumOffsets sets dst[i] to the full rsum (A<<16 | B) of the block of 1<<shift
// bytes that starts at data[i], for every i < len(dst). len(data) is at least
// len(dst)-1 + 1<<shift, unless dst is empty, and shift at most 30; it panics
// otherwise. It takes no memory. Safe for concurrent use.
func RsumOffsets(dst []uint32, data []byte, shift uint) {
	if len(dst) > 0 {
		rsumOffsets(best, dst, data, shift, rsumOf(best, data[:1<<shift]))
	}
}

// offsetsStep is how many offsets a call of a kernel takes at most: a goroutine
// cannot be stopped within it.
const offsetsStep = 64 << 10

// stretches is how many stretches of offsets the kernel works on side by side.
const stretches = 2

// rsumOffsets sets dst[0] to r and the others to what r becomes. dst is not empty.
func rsumOffsets(v variant, dst []uint32, data []byte, shift uint, r Rsum) {
	dst[0] = r.Uint32()
	dst, size := dst[1:], 1<<shift
	out, in := data[:len(dst)], data[size:size+len(dst)]
	for v.rolls() && len(dst) >= minOffsets {
		// Each stretch rolls count times 16 bytes.
		count := min(len(dst), offsetsStep) / stretches / 16
		n := 16 * count
		var start [stretches][4]uint32
		for i := range start {
			if i > 0 {
				r = r.jump(v, data[(i-1)*n:], n, size)
			}
			start[i][3] = r.Uint32()
		}
		v.roll(&dst[0], &out[0], &in[0], n, count, shift, &start)
		n *= stretches
		r = rsumOfUint32(dst[n-1])
		dst, out, in, data = dst[n:], out[n:], in[n:], data[n:]
	}
	rollScalar(dst, out, in, shift, r)
}

// minOffsets is from how many offsets on a kernel is faster.
const minOffsets = 64

// jump is the rsum n bytes further on, where r is that of the block of size
// bytes at data[0].
func (r Rsum) jump(v variant, data []byte, n, size int) Rsum {
	if size <= 2*n {
		return rsumOf(v, data[n:n+size])
	}
	// The bytes that leave weigh size-n more in r than they do alone.
	leave, enter := rsumOf(v, data[:n]), rsumOf(v, data[size:size+n])
	leave = leave.pad(size - n)
	return Rsum{A: r.A - leave.A, B: r.B - leave.B}.join(enter, n)
}

func rsumOfUint32(x uint32) Rsum { return Rsum{A: uint16(x >> 16), B: uint16(x)} }

// rollScalar rolls r over out and in, the bytes that leave and enter, and sets
// dst[i] to what r is after out[i] and in[i].
func rollScalar(dst []uint32, out, in []byte, shift uint, r Rsum) {
	// An rsum is one word of 64 bits: B above, where it wraps at 16 bits by itself,
	// and A in the 48 below, with so much added that it never gets negative. Rotated
	// by 16 they are side by side, as dst has them. A byte that leaves takes itself
	// from A and 1<<shift times itself from B, in one multiplication.
	leave := 1 + uint64(1)<<(48+shift)
	sum := uint64(r.B)<<48 + 1<<47 + uint64(r.A)
	// The 16 lowest bits of a are A too. So a step waits for one addition to a and
	// for one to sum only.
	a := sum
	out, in = out[:len(dst)], in[:len(dst)]
	for i := range dst {
		x := uint64(in[i]) - uint64(out[i])*leave
		a += x
		sum += x + a<<48
		dst[i] = uint32(bits.RotateLeft64(sum, 16))
	}
}
