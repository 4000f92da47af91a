package seed

// near is the first level of a filter. A key (lo, hi) has one bit: of the word that
// the upper bits of its hash say, the one that the lower five say.
type near struct {
	words []uint32 // 1 << (32-shift)
	shift uint32
}

const (
	// nearShift bounds near: 1 MiB, what the second cache of a core holds.
	nearShift = 32 - 18
	// The least near is 16 KiB: smaller ones are no faster.
	leastShift = 32 - 12
	// nearBits is how many bits each key has, as long as there is room.
	nearBits = 64
	// nearGroup is how many keys a kernel takes at once.
	nearGroup = 16

	factorLo, factorHi = 0x9E3779B1, 0x85EBCA77
)

// newNear is empty, for about keys of them.
func newNear(keys int64) near {
	n := near{shift: leastShift}
	for n.shift > nearShift && keys*nearBits > 32<<(32-n.shift) {
		n.shift--
	}
	n.words = make([]uint32, 1<<(32-n.shift))
	return n
}

// add puts a key in; hi is 0 when there are no second halves.
func (n near) add(lo, hi uint32) {
	h := lo*factorLo + hi*factorHi
	n.words[h>>n.shift] |= 1 << (h & 31)
}

// hits sets dst to the places of the keys that are in, or seem to be, and returns
// how many. hi is nil or as long as lo; dst is as long as lo.
func (n near) hits(dst, lo, hi []uint32, mask uint32) int {
	factor := uint32(factorHi)
	if hi == nil {
		hi, factor = lo, 0
	}
	dst, hi = dst[:len(lo)], hi[:len(lo)]
	done, count := 0, 0
	if groups := len(lo) / nearGroup; nearLanes && groups > 0 {
		count = nearAVX2(&n.words[0], &dst[0], &lo[0], &hi[0], groups, mask, factorLo, factor, n.shift)
		done = groups * nearGroup
	}
	rest := nearScalar(n.words, dst[count:], lo[done:], hi[done:], mask, factor, n.shift)
	for i := range dst[count : count+rest] {
		dst[count+i] += uint32(done)
	}
	return count + rest
}

// nearScalar is what hits does, one key after the other.
func nearScalar(words, dst, lo, hi []uint32, mask, factor, shift uint32) (n int) {
	if len(words) == 0 {
		return 0
	}
	// The mask of the index does nothing but spare a check of it.
	last := uint32(len(words) - 1)
	dst, hi = dst[:len(lo)], hi[:len(lo)]
	for i, a := range lo {
		h := (a&mask)*factorLo + (hi[i]&mask)*factor
		if words[h>>(shift&31)&last]&(1<<(h&31)) != 0 {
			dst[n] = uint32(i)
			n++
		}
	}
	return n
}
