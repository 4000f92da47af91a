package seed

import "golang.org/x/sys/cpu"

var (
	// nearLanes says whether one of the kernels can be called here.
	nearLanes = cpu.X86.HasAVX2 && cpu.X86.HasBMI1
	// wideLanes says whether that is nearAVX512.
	wideLanes = nearLanes && cpu.X86.HasAVX512F && cpu.X86.HasPOPCNT
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
