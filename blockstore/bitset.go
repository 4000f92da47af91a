package blockstore

import "math/bits"

// bitset is a fixed number of bits. Not safe for concurrent use; bounds are
// the caller's.
type bitset []uint64

func newBitset(n int64) bitset { return make(bitset, (n+63)/64) }

func (s bitset) has(i int64) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// eachWord calls f for every word that [start, end) touches, with the mask of
// the bits of it that lie in the range.
func eachWord(start, end int64, f func(word int64, mask uint64)) {
	for i := start; i < end; {
		next := min((i|63)+1, end)
		f(i>>6, ^uint64(0)>>(64-(next-i))<<(i&63))
		i = next
	}
}

// set sets [start, end) and returns how many of them were not set.
func (s bitset) set(start, end int64) (n int64) {
	eachWord(start, end, func(w int64, mask uint64) {
		n += int64(bits.OnesCount64(mask &^ s[w]))
		s[w] |= mask
	})
	return n
}

// clear clears [start, end) and returns how many of them were set.
func (s bitset) clear(start, end int64) (n int64) {
	eachWord(start, end, func(w int64, mask uint64) {
		n += int64(bits.OnesCount64(mask & s[w]))
		s[w] &^= mask
	})
	return n
}

func (s bitset) count() (n int64) {
	for _, w := range s {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

// next is the first i in [from, end) whose bit is v; end when there is none.
func (s bitset) next(v bool, from, end int64) int64 {
	if from >= end {
		return end
	}
	var flip uint64
	if !v {
		flip = ^flip
	}
	w := (s[from>>6] ^ flip) >> (from & 63)
	if w != 0 {
		return min(from+int64(bits.TrailingZeros64(w)), end)
	}
	for i := from>>6 + 1; i<<6 < end; i++ {
		if w := s[i] ^ flip; w != 0 {
			return min(i<<6+int64(bits.TrailingZeros64(w)), end)
		}
	}
	return end
}
