package seed

// The loops over every offset of a seed: one for each kind of key and size of the
// filter's near level, so that shifts are constants and indexes need no checks.
// They stay functions of their own with the factor as an argument, because that
// keeps all they use in registers (it is worth a third of the time). Several keys a
// round were tried and gain nothing: registers run out. Each sets dst to the places
// of the keys whose bit is set in words, and returns how many.

//go:noinline
func singlesSmall(words *[smallWords]uint64, dst, lo []uint32, mask, factor uint64) (n int) {
	dst = dst[:len(lo)]
	for i, a := range lo {
		h := (uint64(a) & mask) * factor
		if words[h>>smallShift]&(1<<(h&63)) != 0 {
			dst[n] = uint32(i)
			n++
		}
	}
	return n
}

//go:noinline
func singlesNear(words *[nearWords]uint64, dst, lo []uint32, mask, factor uint64) (n int) {
	dst = dst[:len(lo)]
	for i, a := range lo {
		h := (uint64(a) & mask) * factor
		if words[h>>nearShift]&(1<<(h&63)) != 0 {
			dst[n] = uint32(i)
			n++
		}
	}
	return n
}

//go:noinline
func pairsSmall(words *[smallWords]uint64, dst, lo, hi []uint32, mask, factor uint64) (n int) {
	dst, hi = dst[:len(lo)], hi[:len(lo)]
	for i, a := range lo {
		h := ((uint64(a)<<32 | uint64(hi[i])) & mask) * factor
		if words[h>>smallShift]&(1<<(h&63)) != 0 {
			dst[n] = uint32(i)
			n++
		}
	}
	return n
}

//go:noinline
func pairsNear(words *[nearWords]uint64, dst, lo, hi []uint32, mask, factor uint64) (n int) {
	dst, hi = dst[:len(lo)], hi[:len(lo)]
	for i, a := range lo {
		h := ((uint64(a)<<32 | uint64(hi[i])) & mask) * factor
		if words[h>>nearShift]&(1<<(h&63)) != 0 {
			dst[n] = uint32(i)
			n++
		}
	}
	return n
}
