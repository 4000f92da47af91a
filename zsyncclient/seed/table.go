package seed

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
	"sort"
	"sync"
)

// table finds blocks by a key of 64 bits: block ids sorted by the hash of their
// keys, and by their strong checksums where keys are equal. Seven to nine bytes for
// each block. It never changes.
type table struct {
	// start has, for each value of the hash's first bits, the place of the first
	// such id; one more at the end.
	start []uint32
	ids   []uint32
	// tags are other bits of each id's hash: they spare most looks at records.
	tags []uint8
	bits uint
}

// hashFactor is 2^64 divided by the golden ratio.
const hashFactor = 0x9E3779B97F4A7C15

// hashKey spreads a key over 64 bits, of which the upper ones depend on all of it.
func hashKey(key uint64) uint64 { return key * hashFactor }

// place is where a table has what has the hash h.
func (t *table) place(h uint64) uint32 { return uint32(h >> (64 - t.bits)) }

// tag is what a table keeps of h beside the bits that chose its place.
func (t *table) tag(h uint64) uint8 { return uint8(h >> (56 - t.bits)) }

// newTable sorts the ids from 0 to count by key, and where that is equal by compare.
func newTable(count int, key func(int) uint64, compare func(a, b int) int) *table {
	t := &table{bits: uint(min(max(bits.Len(uint(count))-1, 1), 28))}
	t.start = make([]uint32, 1<<t.bits+1)
	t.ids, t.tags = make([]uint32, count), make([]uint8, count)
	hashes := make([]uint64, count)
	inTwo(count, func(from, to int) {
		for id := from; id < to; id++ {
			hashes[id] = hashKey(key(id))
		}
	})
	for _, h := range hashes {
		t.start[t.place(h)+1]++
	}
	for i := 1; i < len(t.start); i++ {
		t.start[i] += t.start[i-1]
	}
	// Each id moves the start of its place on, in the end to the next one's.
	for id, h := range hashes {
		at := &t.start[t.place(h)]
		t.ids[*at], t.tags[*at] = uint32(id), t.tag(h)
		*at++
	}
	copy(t.start[1:], t.start)
	t.start[0] = 0
	inTwo(len(t.start)-1, func(from, to int) {
		for i := from; i < to; i++ {
			if lo, hi := t.start[i], t.start[i+1]; hi-lo > 1 {
				t.sortPlace(int(lo), int(hi), hashes, compare)
			}
		}
	})
	return t
}

// inTwo does the work for 0 to n in two halves, side by side.
func inTwo(n int, work func(from, to int)) {
	var wg sync.WaitGroup
	wg.Go(func() { work(0, n/2) })
	work(n/2, n)
	wg.Wait()
}

// sortPlace sorts the ids lo to hi, which have one place. Hashes are as good an
// order as keys, since no two keys have the same.
func (t *table) sortPlace(lo, hi int, hashes []uint64, compare func(a, b int) int) {
	ids := t.ids[lo:hi]
	slices.SortFunc(ids, func(a, b uint32) int {
		if ha, hb := hashes[a], hashes[b]; ha != hb {
			return cmp.Compare(ha, hb)
		}
		if c := compare(int(a), int(b)); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	for i, id := range ids {
		t.tags[lo+i] = t.tag(hashes[id])
	}
}

// smallRange is up to how many ids are looked at one by one.
const smallRange = 8

// lookup is the range of ids that have the key.
func (t *table) lookup(want uint64, key func(int) uint64) (lo, hi int) {
	h := hashKey(want)
	p := t.place(h)
	lo, hi = int(t.start[p]), int(t.start[p+1])
	if hi-lo > smallRange {
		return t.search(lo, hi, h, key)
	}
	tag := t.tag(h)
	for ; lo < hi; lo++ {
		if t.tags[lo] == tag && key(int(t.ids[lo])) == want {
			break
		}
	}
	end := lo
	for end < hi && t.tags[end] == tag && key(int(t.ids[end])) == want {
		end++
	}
	return lo, end
}

// search is lookup of the hash h among many.
func (t *table) search(lo, hi int, h uint64, key func(int) uint64) (int, int) {
	n := hi - lo
	first := sort.Search(n, func(i int) bool { return hashKey(key(int(t.ids[lo+i]))) >= h })
	end := first + sort.Search(n-first, func(i int) bool { return hashKey(key(int(t.ids[lo+first+i]))) > h })
	return lo + first, lo + end
}

// narrow is the part of ids lo to hi, of equal key and sorted by the strong checksum
// of the block step blocks further on, of which that is the beginning of digest.
func (x *Index) narrow(t *table, lo, hi int, digest []byte, step int) (int, int) {
	digest = digest[:x.length]
	n := hi - lo
	if n == 1 {
		if bytes.Equal(x.strongOf(int(t.ids[lo])+step), digest) {
			return lo, hi
		}
		return lo, lo
	}
	first := sort.Search(n, func(i int) bool {
		return bytes.Compare(x.strongOf(int(t.ids[lo+i])+step), digest) >= 0
	})
	end := first + sort.Search(n-first, func(i int) bool {
		return bytes.Compare(x.strongOf(int(t.ids[lo+first+i])+step), digest) > 0
	})
	return lo + first, lo + end
}
