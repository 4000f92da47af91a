package seed

import (
	"math"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// near is the first level of a filter. A key (lo, hi) has three bits, all in one
// word of 32, so that it takes one load to look them up. Its hash says which word
// (from bit indexShift on) and which bits (nearBits).
type near struct {
	words []uint32 // a power of two of them
}

const (
	// wideNear and mostNear are how many words near has at most: 512 KiB, half of
	// what the second cache of a core holds, and 1 MiB where keys would have few
	// bits otherwise. What is larger is loaded from farther away more often.
	wideNear, mostNear = 1 << 17, 1 << 18
	// leastNear are 16 KiB: fewer are no faster.
	leastNear = 1 << 12
	// roomy is how many bits there are for each key up to wideNear, and dense up to
	// mostNear.
	roomy, dense = 32, 12
	// nearGroup is how many keys a kernel takes at once.
	nearGroup = 32

	factorLo, factorHi = 0x9E3779B1, 0x85EBCA77
	// indexShift is where a hash has the index of the word: behind what nearBits
	// takes, and for all sizes the same, since such a shift needs no register.
	indexShift = 14
)

// newNear is empty, for about keys of them.
func newNear(keys int64) near {
	size := int64(leastNear)
	for size < wideNear && keys*roomy > 32*size || size < mostNear && keys*dense > 32*size {
		size *= 2
	}
	return near{words: make([]uint32, size)}
}

// rate is the share of other keys that are let through after so many were added.
func (n near) rate(keys float64) float64 { return letThrough(keys, 3, 32*float64(len(n.words))) }

// letThrough is the share of keys that a filter of size bits lets through, of which
// each of keys has set count. That words differ in how many keys they have is left
// out: it lets up to twice as many through.
func letThrough(keys, count, size float64) float64 {
	return math.Pow(1-math.Exp(-count*keys/size), count)
}

// add puts a key in; hi is 0 when there are no second halves.
func (n near) add(lo, hi uint32) {
	h := lo*factorLo + hi*factorHi
	n.words[int(h>>indexShift)&(len(n.words)-1)] |= nearBits(h)
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
		count = nearKernel(&n.words[0], &dst[0], &lo[0], &hi[0], groups, mask, factorLo, factor, uint32(len(n.words)-1))
		done = groups * nearGroup
	}
	rest := nearScalar(n.words, dst[count:], lo[done:], hi[done:], mask, factor)
	for i := range dst[count : count+rest] {
		dst[count+i] += uint32(done)
	}
	return count + rest
}

// roll is hits for the rsums at len(dst) offsets of data, of blocks of 1<<shift bytes:
// it sets dst to the offsets of those that are in, or seem to be, and keys to the
// rsums there, as far as mask goes. keys is as long as dst. len(data) is at least
// len(dst)-1 + 1<<shift.
//
// The kernel loads and computes at the same time: 0.68 ns for an offset instead of
// 0.79 for one after the other.
func (n near) roll(dst, keys []uint32, data []byte, shift uint, mask uint32) int {
	keys = keys[:len(dst)]
	done, count := 0, 0
	if groups := (len(dst) - 1) / nearGroup; rollLanes && groups > 0 {
		size := 1 << shift
		start := checksum.RsumBlock(data[:size], size).Uint32()
		count = nearScalar(n.words, dst[:1], []uint32{start}, []uint32{start}, mask, 0)
		keys[0] = start & mask
		done = groups*nearGroup + 1
		in := data[size : size+done-1]
		count += rollKernel(&n.words[0], &dst[count], &keys[count], &data[0], &in[0], groups, shift, start, mask, uint32(len(n.words)-1))
	}
	rest := keys[done:]
	checksum.RsumOffsets(rest, data[done:], shift)
	found := dst[count:][:n.hits(dst[count:][:len(rest)], rest, nil, mask)]
	for i, at := range found {
		keys[count+i] = rest[at] & mask
		found[i] = at + uint32(done)
	}
	return count + len(found)
}

// nearScalar is what hits does, one key after the other. The two loops are the same,
// but that of single keys does not read and multiply hi.
func nearScalar(words, dst, lo, hi []uint32, mask, factor uint32) (n int) {
	if len(words) == 0 {
		return 0
	}
	// The mask of the index spares a check of it as well.
	last := len(words) - 1
	dst, hi = dst[:len(lo)], hi[:len(lo)]
	if factor == 0 {
		for i, a := range lo {
			h := (a & mask) * factorLo
			if bits := nearBits(h); words[int(h>>indexShift)&last]&bits == bits {
				dst[n] = uint32(i)
				n++
			}
		}
		return n
	}
	for i, a := range lo {
		h := (a&mask)*factorLo + (hi[i]&mask)*factor
		if bits := nearBits(h); words[int(h>>indexShift)&last]&bits == bits {
			dst[n] = uint32(i)
			n++
		}
	}
	return n
}

// nearBits are the bits of a key with the hash h: those that 5 bits each of h say, from
// the third, sixth and ninth on, which overlap. The kernels compute them.
func nearBits(h uint32) uint32 { return bitsOf[h>>3&(1<<11-1)] }

// bitsOf has them, in 8 KiB: looking them up is faster than three shifts.
var bitsOf = func() (list [1 << 11]uint32) {
	for i := range list {
		for _, shift := range []int{0, 3, 6} {
			list[i] |= 1 << (i >> shift & 31)
		}
	}
	return list
}()
