package seed

import "github.com/zsyncfs/zsyncfs/format"

// filter says for a key whether a block that is worth looking up may have it. It
// has a bit for each key at two levels: near, which stays in the caches of a core
// and is asked for every offset, and far, which is larger and is asked for what is
// left. It lets all keys through that were added, and few others. It must not be
// asked while keys are added.
type filter struct {
	near  near
	far   []uint64
	shift uint // of a hash, to the index of a word of far
}

// farShift bounds far: 8 MiB.
const farShift = 64 - 20

// newFilter is an empty filter for about keys of them.
func newFilter(keys int64) *filter {
	f := &filter{near: newNear(keys), shift: 64 - 10}
	// 32 bits a key, as long as there is room.
	for f.shift > farShift && keys > 2<<(64-f.shift) {
		f.shift--
	}
	f.far = make([]uint64, 1<<(64-f.shift))
	return f
}

// farHash is a hash that has little to do with that of near: both levels let the
// same keys through only by chance.
func farHash(key uint64) uint64 {
	h := hashKey(key)
	return (h ^ h>>29) * 0xBF58476D1CE4E5B9
}

// countKeys is how many keys newFilter has, at most.
func (s *scan) countKeys() int64 {
	n := s.missing.Count()
	if s.least > 1 {
		for range s.missing.Runs() {
			n += int64(s.least - 1)
		}
	}
	return min(n, int64(s.keys))
}

// newFilter has the keys of what is missing: every block, and all those whose match
// has a missing one further on.
func (s *scan) newFilter() *filter {
	f := newFilter(s.countKeys())
	for r := range s.missing.Runs() {
		r.Start = max(r.Start-format.BlockID(s.least-1), 0)
		for id := r.Start; id < min(r.End, format.BlockID(s.keys)); id++ {
			key := s.key(int(id))
			if s.seq > 1 {
				f.near.add(uint32(key>>32), uint32(key))
			} else {
				f.near.add(uint32(key), 0)
			}
			h := farHash(key)
			f.far[h>>f.shift] |= 1 << (h & 63)
		}
	}
	return f
}

// hits sets dst to the places in lo of those keys that may be worth a look-up, and
// returns how many there are, and how many the near level let through. hi has the lower halves of the keys when they are of
// pairs, and is as long as lo and dst.
func (f *filter) hits(dst, lo, hi []uint32, mask uint64) (n, tried int) {
	tried = f.near.hits(dst, lo, hi, uint32(mask))
	return f.second(dst[:tried], lo, hi, mask), tried
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
		h := farHash(key & mask)
		hits[n] = i
		n += int(far[h>>shift] >> (h & 63) & 1)
	}
	return n
}
