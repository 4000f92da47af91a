package seed

import (
	"bytes"
	"math/bits"
	"slices"
	"sort"
)

// table finds blocks by a key of 64 bits: block ids sorted by the hash of their
// keys, and by what the caller compares where keys are equal. Nine to thirteen
// bytes for each block. It never changes.
type table struct {
	// start has, for each value of the hash's first bits, the place of the first
	// such id; one more at the end.
	start []uint32
	ids   []uint32
	// tags are other bits of each id's hash: they spare most looks at records.
	tags []uint8
	bits uint
}

// hashKey spreads a key over 64 bits, of which the upper ones depend on all of it.
func hashKey(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 }

// tag is what a table keeps of h beside the bits that chose its place.
func (t *table) tag(h uint64) uint8 { return uint8(h >> (56 - t.bits)) }

// newTable sorts the ids from 0 to count.
func newTable(count int, key func(int) uint64, compare func(a, b int) int) *table {
	t := &table{bits: uint(min(max(bits.Len(uint(count)), 1), 28))}
	t.start = make([]uint32, 1<<t.bits+1)
	t.ids, t.tags = make([]uint32, count), make([]uint8, count)
	for id := range count {
		t.start[hashKey(key(id))>>(64-t.bits)+1]++
	}
	for i := 1; i < len(t.start); i++ {
		t.start[i] += t.start[i-1]
	}
	// Placing moves each start to its end, which is the next one's start.
	for id := range count {
		place := &t.start[hashKey(key(id))>>(64-t.bits)]
		t.ids[*place] = uint32(id)
		*place++
	}
	copy(t.start[1:], t.start)
	t.start[0] = 0
	for i := range len(t.start) - 1 {
		if ids := t.ids[t.start[i]:t.start[i+1]]; len(ids) > 1 {
			slices.SortFunc(ids, func(a, b uint32) int {
				ka, kb := key(int(a)), key(int(b))
				if ka != kb {
					if ka < kb {
						return -1
					}
					return 1
				}
				if c := compare(int(a), int(b)); c != 0 {
					return c
				}
				return int(a) - int(b)
			})
		}
	}
	for i, id := range t.ids {
		t.tags[i] = t.tag(hashKey(key(int(id))))
	}
	return t
}

// smallRange is up to how many ids are looked at one by one.
const smallRange = 8

// lookup is the range of ids that have the key.
func (t *table) lookup(want uint64, key func(int) uint64) (lo, hi int) {
	h := hashKey(want)
	b := h >> (64 - t.bits)
	lo, hi = int(t.start[b]), int(t.start[b+1])
	if hi-lo > smallRange {
		return t.search(lo, hi, want, key)
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

// search is lookup among many.
func (t *table) search(lo, hi int, want uint64, key func(int) uint64) (int, int) {
	n := hi - lo
	first := sort.Search(n, func(i int) bool { return key(int(t.ids[lo+i])) >= want })
	end := first + sort.Search(n-first, func(i int) bool { return key(int(t.ids[lo+first+i])) > want })
	return lo + first, lo + end
}

// narrow is the part of ids lo to hi, which are sorted so, whose blocks (step
// blocks further on) have the strong checksum digest begins with.
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
