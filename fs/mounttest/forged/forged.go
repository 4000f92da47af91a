package forged

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

const (
	// BlockSize is that of the blocks, in bytes: the smallest, which is cheapest to try.
	BlockSize = 512
	// StrongLength is how much of the MD4 is the same: the least that zsyncmake writes,
	// and one block in 2^24.
	StrongLength = 3
)

// ErrNotFound says that no block was found.
var ErrNotFound = errors.New("no block could be forged")

// Cut is what control files keep of checksums: the whole rsum, StrongLength of the
// strong one.
func Cut(length, blockSize int64) format.Lengths {
	return format.Lengths{SeqMatches: 1, Rsum: 4, Strong: StrongLength}
}

// Where the parts of a forged block are. What is not named is zero.
const (
	numberAt = 8 // what is tried
	// Bytes that bring the rsum's sum to what it must be.
	fillAt, fillEnd = 16, 400
	// Two pairs of bytes: what is taken from one and given to the other changes the
	// weighted sum by their distance, and the sum not at all.
	nearAt, nearDistance = BlockSize - 8, 1
	farAt, farDistance   = BlockSize - 10 - 256, 256
)

// Block is another block with the record of block, cut as Cut does. It tries numbers
// from one on, and returns that which it found: with it, the search ends at once.
//
// Errors: ErrNotFound, which should happen to one in a thousand.
func Block(block []byte, from uint64) (forged []byte, number uint64, err error) {
	const batch, tries = 64, 7 << 24
	want := checksum.MD4.SumBlocks(nil, block, BlockSize)[:StrongLength]
	target := checksum.RsumBlock(block, BlockSize)
	list := make([]byte, 0, batch*BlockSize)
	var sums []byte
	for n := from; n < from+tries; n += batch {
		list = list[:0]
		for i := range uint64(batch) {
			list = list[:len(list)+BlockSize]
			fit(list[len(list)-BlockSize:], n+i, target)
		}
		sums = checksum.MD4.SumBlocks(sums[:0], list, BlockSize)
		for i := range batch {
			one := list[i*BlockSize:][:BlockSize]
			if bytes.HasPrefix(sums[16*i:], want) && !bytes.Equal(one, block) {
				return bytes.Clone(one), n + uint64(i), nil
			}
		}
	}
	return nil, 0, ErrNotFound
}

// fit makes the candidate of a number, which has the rsum.
func fit(out []byte, number uint64, target checksum.Rsum) {
	clear(out)
	copy(out, "forged")
	binary.LittleEndian.PutUint64(out[numberAt:], number)
	const half = 128 // they have as much to take as to give
	out[nearAt], out[nearAt+nearDistance] = half, half-1
	out[farAt], out[farAt+farDistance] = half, half-1
	for lack, at := lackOfA(out, target), fillAt; lack > 0; at++ {
		if at == farAt {
			continue
		}
		out[at] = byte(min(lack, 255))
		lack -= int(out[at])
	}
	// d bytes of weight more at the front are worth d times the distance.
	lack := int(int16(target.B - checksum.RsumBlock(out, BlockSize).B))
	far := (lack + half) >> 8
	near := lack - far<<8
	if far == half { // as far below as it can be, and round again
		far = -half
	}
	out[farAt] += byte(far)
	out[farAt+farDistance] -= byte(far)
	out[nearAt] += byte(near)
	out[nearAt+nearDistance] -= byte(near)
}

// lackOfA is by how much the sum of a candidate's bytes is short.
func lackOfA(out []byte, target checksum.Rsum) int {
	return int(target.A - checksum.RsumBlock(out, BlockSize).A)
}

// Target is random content of so many blocks, and the same with block at forged: number
// is where the search begins, and what it found.
func Target(blocks, at int, seed, from uint64) (target, evil []byte, number uint64, err error) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	target = make([]byte, blocks*BlockSize)
	rand.NewChaCha8(key).Read(target)
	evil = bytes.Clone(target)
	place := evil[at*BlockSize:][:BlockSize]
	block, number, err := Block(place, from)
	copy(place, block)
	return target, evil, number, err
}
