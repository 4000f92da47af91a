package seed

import "github.com/zsyncfs/zsyncfs/format"

// filter says for a key whether a block that is worth looking up may have it. It
// has a bit for each key at two levels: nearWords, which stays in the second cache
// of a core and is asked for every offset, and far, which is larger and is asked
// for what is left. It lets all keys through that were added, and few others. It
// must not be asked while keys are added.
type filter struct {
	// One of them is there: small, for few keys, stays in the first cache.
	near  *[nearWords]uint64
	small *[smallWords]uint64
	far   []uint64
	shift uint // of a hash, to the index of a word of far
}

const (
	nearShift, smallShift = 64 - 17, 64 - 12
	nearWords, smallWords = 1 << (64 - nearShift), 1 << (64 - smallShift)
	// smallKeys is up to how many keys smallWords are enough for: one bit of 64.
	smallKeys = smallWords
	// farShift bounds far: 8 MiB.
	farShift = 64 - 20
)

// newFilter is an empty filter for about keys of them.
func newFilter(keys int64) *filter {
	f := &filter{shift: 64 - 10}
	if keys <= smallKeys {
		f.small = new([smallWords]uint64)
	} else {
		f.near = new([nearWords]uint64)
	}
	// 32 bits a key, as long as there is room.
	for f.shift > farShift && keys > 2<<(64-f.shift) {
		f.shift--
	}
	f.far = make([]uint64, 1<<(64-f.shift))
	return f
}

// farKey is another hash: both levels let the same keys through only by chance.
func farHash(h uint64) uint64 { return (h ^ h>>29) * 0xBF58476D1CE4E5B9 }

// add puts key in.
func (f *filter) add(key uint64) {
	h := hashKey(key)
	if f.small != nil {
		f.small[h>>smallShift] |= 1 << (h & 63)
	} else {
		f.near[h>>nearShift] |= 1 << (h & 63)
	}
	h = farHash(h)
	f.far[h>>f.shift] |= 1 << (h & 63)
}

// countKeys is how many keys newFilter has, at most.
func (s *scan) countKeys() int64 {
	n := s.missing.Count()
	if s.seq > 1 {
		for range s.missing.Runs() {
			n++
		}
	}
	return n
}

// newFilter has the keys of what is missing: every block, and in pairs also those
// of which only the second is.
func (s *scan) newFilter() *filter {
	f := newFilter(s.countKeys())
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

// hits sets dst to the places in lo of those keys that may be worth a look-up, and
// returns how many there are. hi has the lower halves of the keys when they are of
// pairs, and is as long as lo and dst.
func (f *filter) hits(dst, lo, hi []uint32, mask uint64) int {
	n := 0
	switch {
	case hi == nil && f.small != nil:
		n = singlesSmall(f.small, dst, lo, mask, hashFactor)
	case hi == nil:
		n = singlesNear(f.near, dst, lo, mask, hashFactor)
	case f.small != nil:
		n = pairsSmall(f.small, dst, lo, hi, mask, hashFactor)
	default:
		n = pairsNear(f.near, dst, lo, hi, mask, hashFactor)
	}
	return f.second(dst[:n], lo, hi, mask)
}

// second leaves in hits those that the second level lets through. It does not
// branch on what it loads, so that many loads are on their way at once.
func (f *filter) second(hits, lo, hi []uint32, mask uint64) int {
	far, shift, n := f.far, f.shift, 0
	for _, i := range hits {
		key := uint64(lo[i])
		if hi != nil {
			key = key<<32 | uint64(hi[i])
		}
		h := farHash(hashKey(key & mask))
		hits[n] = i
		n += int(far[h>>shift] >> (h & 63) & 1)
	}
	return n
}
