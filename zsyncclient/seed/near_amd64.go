package seed

import "golang.org/x/sys/cpu"

var (
	// nearLanes says whether one of the kernels can be called here.
	nearLanes = cpu.X86.HasAVX2 && cpu.X86.HasBMI1
	// wideLanes says whether that is nearAVX512.
	wideLanes = nearLanes && cpu.X86.HasAVX512F && cpu.X86.HasPOPCNT
	// rollLanes says whether rollKernel can be called.
	rollLanes = wideLanes && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
)

// nearKernel is nearScalar for groups of nearGroup keys, at least one. last is the
// index of the last word; hi may be lo when factorHi is 0.
func nearKernel(words, dst, lo, hi *uint32, groups int, mask, factorLo, factorHi, last uint32) int {
	if wideLanes {
		return nearAVX512(words, dst, lo, hi, groups, mask, factorLo, factorHi, last)
	}
	return nearAVX2(words, dst, lo, hi, groups, mask, factorLo, factorHi, last)
}

//go:noescape
func nearAVX512(words, dst, lo, hi *uint32, groups int, mask, factorLo, factorHi, last uint32) (n int)

//go:noescape
func nearAVX2(words, dst, lo, hi *uint32, groups int, mask, factorLo, factorHi, last uint32) (n int)

// rollKernel rolls the rsum start over groups of nearGroup bytes of out and in, those
// that leave and those that enter the block, at least one group. It stores the
// places, from 1 on, and the keys of the rsums that are in, and returns how many.
func rollKernel(words, dst, keys *uint32, out, in *byte, groups int, shift uint, start, mask, last uint32) int {
	return rollAVX512(words, dst, keys, out, in, groups, shift, start, mask, factorLo, last)
}

//go:noescape
func rollAVX512(words, dst, keys *uint32, out, in *byte, groups int, shift uint, start, mask, factor, last uint32) (n int)
