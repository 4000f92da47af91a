package seed

import (
	"slices"

	"github.com/zsyncfs/zsyncfs/format"
)

// filter says for a key whether a block that is worth looking up may have it. It
// has two levels: near, which stays in the caches of a core and is asked for every
// offset, and far, which is larger and is asked for what is left. A key has three
// bits of a word in near and two in far. It lets all keys through that were added,
// and few others. It must not be asked while keys are added.
type filter struct {
	near near
	// halves: near has the rsums of both blocks of a pair, each alone. Then half of
	// the offsets need not be looked up there (see halvedHits).
	halves bool
	far    []uint64
	shift  uint // of a hash, to the index of a word of far
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
	keys := s.countKeys()
	f := newFilter(keys)
	// Where rsums are too short for the number of keys, single blocks say too little.
	f.halves = s.ring() && keys<<4 <= 1<<(8*s.x.rsum)
	for r := range s.missing.Runs() {
		r.Start = max(r.Start-format.BlockID(s.least-1), 0)
		for id := r.Start; id < min(r.End, format.BlockID(s.keys)); id++ {
			f.add(s.key(int(id)), s.seq > 1)
		}
	}
	return f
}

// add puts a key in, which is that of a pair or of a single block.
func (f *filter) add(key uint64, isPair bool) {
	first, second := uint32(key>>32), uint32(key)
	switch {
	case f.halves:
		f.near.add(first, 0)
		f.near.add(second, 0)
	case isPair:
		f.near.add(first, second)
	default:
		f.near.add(second, 0)
	}
	h := farHash(key)
	f.far[h>>f.shift] |= 1<<(h&63) | 1<<(h>>6&63)
}

// hits sets dst to the places in lo of those keys that may be worth a look-up, in
// ascending order, and returns how many there are, and how many the near level let
// through. hi is nil or has the lower halves of the keys when they are of pairs:
// those at places distance further on. dst, lo and hi are as long; scratch is for
// halvedHits, and has distance elements.
func (f *filter) hits(dst, scratch, lo, hi []uint32, distance int, mask uint64) (n, tried int) {
	if f.halves {
		return f.halvedHits(dst, scratch, lo, hi, distance, mask)
	}
	tried = f.near.hits(dst, lo, hi, uint32(mask))
	return f.second(dst, dst[:tried], lo, hi, 0, mask), tried
}

// roll is hits of single blocks, for the rsums at len(dst) offsets of data; keys is as
// long, and set to the keys there. See near.roll.
func (f *filter) roll(dst, keys []uint32, data []byte, shift uint, mask uint32) (n, tried int) {
	tried = f.near.roll(dst, keys, data, shift, mask)
	last := uint64(len(f.far) - 1)
	for i, key := range keys[:tried] {
		h := farHash(uint64(key))
		word := f.far[h>>(f.shift&63)&last]
		dst[n], keys[n] = dst[i], key
		n += int(word >> (h & 63) & (word >> (h >> 6 & 63)) & 1)
	}
	return n, tried
}

// halvedHits is hits where the near level has single blocks. Of two windows of
// distance offsets each, that of hi[from:] has the second block of every pair that
// begins in the one before, and the first block of every one that begins in it. So
// only these are looked up, and both pairs that such a block may belong to are tried
// at the far level.
func (f *filter) halvedHits(dst, scratch, lo, hi []uint32, distance int, mask uint64) (n, tried int) {
	for from := 0; from < len(lo); from += 2 * distance {
		first := min(distance, len(lo)-from)
		found := scratch[:f.near.hits(scratch[:first], hi[from:from+first], nil, uint32(mask))]
		n += f.second(dst[n:], found, lo, hi, from, mask)
		tried += len(found)
		behind := from + distance
		if rest := len(lo) - behind; rest < distance {
			end, _ := slices.BinarySearch(found, uint32(max(rest, 0)))
			found = found[:end]
		}
		if len(found) > 0 {
			n += f.second(dst[n:], found, lo, hi, behind, mask)
			tried += len(found)
		}
	}
	return n, tried
}

// second sets dst to those of places, counted from from on, that the second level
// lets through, and returns how many. dst may be places.
//
// Hashes are computed some at a time and before what they are for, and nothing
// branches on what is loaded: so many loads from far are on their way at once.
func (f *filter) second(dst, places, lo, hi []uint32, from int, mask uint64) (n int) {
	var hashes [64]uint64
	far, shift, last := f.far, f.shift&63, uint64(len(f.far)-1)
	if len(far) == 0 {
		return 0
	}
	for len(places) > 0 {
		some := places[:min(len(places), len(hashes))]
		places = places[len(some):]
		farHashes(&hashes, some, lo, hi, from, mask)
		for i, p := range some {
			// The mask of the index does nothing but spare a check of it.
			h := hashes[i&63]
			word := far[h>>shift&last]
			dst[n] = p + uint32(from)
			n += int(word >> (h & 63) & (word >> (h >> 6 & 63)) & 1)
		}
	}
	return n
}

// farHashes sets dst to the hashes of the keys at places, counted from from on.
func farHashes(dst *[64]uint64, places, lo, hi []uint32, from int, mask uint64) {
	lo = lo[from:]
	if hi == nil {
		for i, p := range places {
			dst[i&63] = farHash(uint64(lo[p]) & mask)
		}
		return
	}
	hi = hi[from:]
	for i, p := range places {
		dst[i&63] = farHash((uint64(lo[p])<<32 | uint64(hi[p])) & mask)
	}
}
