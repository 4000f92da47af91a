package checksum

import "encoding/binary"

// maxLanes is how many blocks a kernel for strong checksums takes at most.
const maxLanes = 32

// laneStep is how many bytes of each block one call of a kernel takes at most: a
// goroutine cannot be stopped within it, and the garbage collector would wait.
const laneStep = 16 << 10

// startState is that of MD4 and of MD5.
var startState = [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}

// goLanes is how many blocks are summed side by side in Go.
func goLanes(s Strong) int {
	if s == MD4 {
		return md4Lanes
	}
	return 0 // Go's own code for the others is as fast
}

// sumLanes appends the digests of the first blocks of data, as far as v is good
// for them, and says how many bytes that was. What is left is less than a block,
// or one that sumScalar is the fastest for, unless v has no lanes for s and
// blockSize.
func sumLanes(v variant, s Strong, dst, data []byte, blockSize int) ([]byte, int) {
	if v.lanes(s) == 0 || blockSize%64 != 0 {
		return dst, 0
	}
	// All blocks end in the same 64 bytes: the mark and the length in bits.
	var end [64]byte
	end[0] = 0x80
	binary.LittleEndian.PutUint64(end[56:], uint64(blockSize)<<3)

	done := 0
	for {
		left := (len(data) - done) / blockSize
		use := v.enough(s, left)
		blocks := min(use.lanes(s), left)
		if blocks == 0 {
			return dst, done
		}
		dst = sumGroup(use, s, dst, data[done:done+blocks*blockSize], blockSize, &end)
		done += blocks * blockSize
	}
}

// sumGroup appends the digests of the blocks of data, as many as v has lanes, or
// fewer. Idle lanes sum the last block once more.
func sumGroup(v variant, s Strong, dst, data []byte, blockSize int, end *[64]byte) []byte {
	var state [4 * maxLanes]uint32
	var at [maxLanes]int
	lanes, blocks := v.lanes(s), len(data)/blockSize
	for lane := range lanes {
		for j, word := range startState {
			state[j*lanes+lane] = word
		}
		at[lane] = min(lane, blocks-1) * blockSize
	}
	for from := 0; from < blockSize; from += laneStep {
		v.feed(s, &state, data[from:], &at, min(laneStep, blockSize-from)/64)
	}
	v.feed(s, &state, end[:], &[maxLanes]int{}, 1)
	for lane := range blocks {
		for j := range startState {
			dst = binary.LittleEndian.AppendUint32(dst, state[j*lanes+lane])
		}
	}
	return dst
}
