package checksum

import "golang.org/x/sys/cpu"

//go:generate go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg checksum

// variants are those that work here, the fastest last. The flags are also false
// for registers that the operating system does not save.
func variants() []variant {
	list := []variant{scalar}
	if cpu.X86.HasAVX2 {
		list = append(list, avx2)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL {
			list = append(list, avx512)
		}
	}
	return list
}

// lanes is how many blocks v sums side by side with s; 0 when it has no code for that.
func (v variant) lanes(s Strong) int {
	switch {
	case v == scalar:
		return goLanes(s)
	case s != MD4 && s != MD5:
		return 0
	case v == avx512:
		return 32
	}
	return 16
}

// enough is the variant, v or a narrower one, that is fastest for so few blocks.
func (v variant) enough(s Strong, blocks int) variant {
	switch {
	case blocks <= max(scalar.lanes(s), 1):
		return scalar
	case v == avx512 && blocks <= avx2.lanes(s):
		return avx2
	}
	return v
}

// feed calls the code for s, which is one that has lanes. Calls by name, not
// through a table, let the arguments stay on the stack.
func (v variant) feed(s Strong, state *[4 * maxLanes]uint32, data []byte, at *[maxLanes]int, count int) {
	switch {
	case v == scalar:
		md4Go(state, data, at, count)
	case s == MD4 && v == avx512:
		md4AVX512(state, &data[0], at, count)
	case s == MD4:
		md4AVX2(state, &data[0], at, count)
	case v == avx512:
		md5AVX512(state, &data[0], at, count)
	default:
		md5AVX2(state, &data[0], at, count)
	}
}

// rsum is the rsum of count times 64 bytes; v is not scalar, count is positive.
func (v variant) rsum(p *byte, count int) Rsum {
	var a, b uint32
	if v == avx512 {
		a, b = rsumAVX512(p, count)
	} else {
		a, b = rsumAVX2(p, count)
	}
	return Rsum{A: uint16(a), B: uint16(b)}
}

// rolls says whether v has a kernel for the rsum at every offset.
func (v variant) rolls() bool { return v != scalar }

// roll calls that kernel.
func (v variant) roll(dst *uint32, out, in *byte, stride, count int, shift uint, start *[stretches][4]uint32) {
	offsetsAVX2(dst, out, in, stride, count, shift, start)
}
