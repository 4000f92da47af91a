package seed

import "github.com/zsyncfs/zsyncfs/format"

// filterWords is the size of a filter's array: 1 MiB, what the second cache of
// a core holds. Fewer of them are used when few keys are in it.
const filterWords = 1 << 17

// filter says for a key whether a block that is worth looking up may have it: two
// bits of one word of 64. It lets all keys through that were added, and few others.
type filter struct {
	words *[filterWords]uint64
	mask  uint64 // of the index of a word
}

// filterBits is how many bits there are for each key, as long as there is room.
const filterBits = 32

// newFilter is an empty filter for about keys of them.
func newFilter(keys int64) *filter {
	n := uint64(64)
	for n < filterWords && n*64 < uint64(keys)*filterBits {
		n *= 2
	}
	return &filter{words: new([filterWords]uint64), mask: n - 1}
}

// add puts key in.
func (f *filter) add(key uint64) {
	h := hashKey(key)
	f.words[h>>32&f.mask&(filterWords-1)] |= 1<<(h>>58) | 1<<(h>>52&63)
}

// newFilter has the keys of what is missing: every block, and in pairs also those
// of which only the second is.
func (s *scan) newFilter() *filter {
	f := newFilter(s.missing.Count() * int64(s.seq))
	for r := range s.missing.Runs() {
		if s.seq > 1 {
			r.Start = max(r.Start-1, 0)
		}
		for id := r.Start; id < min(r.End, format.BlockID(s.keys)); id++ {
			f.add(s.key(int(id)))
		}
	}
	return f
}

// hits appends to dst the offsets at which a block may begin: sums are the rsums
// at each of n offsets, and of distance more.
func (f *filter) hits(dst []uint32, sums []uint32, n, distance int, mask uint32) []uint32 {
	words, used := f.words, f.mask
	lo := sums[:n]
	if distance == 0 {
		for i, a := range lo {
			h := hashKey(uint64(a & mask))
			if v := words[h>>32&used&(filterWords-1)]; v>>(h>>58)&(v>>(h>>52&63))&1 != 0 {
				dst = append(dst, uint32(i))
			}
		}
		return dst
	}
	hi := sums[distance:][:n]
	for i, a := range lo {
		h := hashKey(uint64(a&mask)<<32 | uint64(hi[i]&mask))
		if v := words[h>>32&used&(filterWords-1)]; v>>(h>>58)&(v>>(h>>52&63))&1 != 0 {
			dst = append(dst, uint32(i))
		}
	}
	return dst
}
