package seed

import "golang.org/x/sys/cpu"

// nearLanes says whether nearAVX2 can be called here.
var nearLanes = cpu.X86.HasAVX2 && cpu.X86.HasBMI1

// nearAVX2 is nearScalar for groups of nearGroup keys. words has 1<<(32-shift)
// elements; hi may be lo when factorHi is 0.
//
//go:noescape
func nearAVX2(words, dst, lo, hi *uint32, groups int, mask, factorLo, factorHi, shift uint32) (n int)
