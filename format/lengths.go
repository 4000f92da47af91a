package format

import (
	"math"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// DefaultBlockSize is the block size in bytes that zsyncmake takes for a file
// of length bytes: 2048 below 100 million, else 4096.
func DefaultBlockSize(length int64) int64 {
	if length < 100_000_000 {
		return 2048
	}
	return 4096
}

// HashLengths are the lengths that zsyncmake 0.6.2 writes for a target of
// length bytes in blocks of blockSize: as short as a wrong match in the whole
// target stays unlikely (one in about 2^20). Both within their bounds.
func HashLengths(length, blockSize int64) Lengths {
	if length == 0 {
		return Lengths{SeqMatches: 1, Rsum: 2, Strong: 3}
	}
	l := Lengths{SeqMatches: 1}
	if length > blockSize {
		l.SeqMatches = 2
	}
	seq := float64(l.SeqMatches)
	// Quotients of natural logarithms, as 0.6.2 has them: where the value is a
	// whole number, another way to the same logarithm rounds differently.
	size, block := math.Log(float64(length)), math.Log(float64(blockSize))
	blocks := math.Log(float64(1 + length/blockSize))
	l.Rsum = int(math.Ceil(((size+block)/math.Ln2 - 8.6) / seq / 8))
	l.Rsum = min(max(l.Rsum, 2), MaxRsumLength)
	one := int(math.Ceil((20 + (size+blocks)/math.Ln2) / seq / 8))
	two := int((7.9 + (20 + blocks/math.Ln2)) / 8)
	l.Strong = max(one, two)
	return l
}

// FullLengths keep both checksums whole, and take a single block for a match.
//
// They are the default of Builder. Full strong checksums leave no room for
// false matches, so what asking for two matching blocks in a row is for falls
// away, and every single block that a seed holds is found. Every reader knows
// 1,4,16: it is what a control file without "Hash-Lengths" means. The price is
// 20 bytes for each block instead of 7 or 8.
func FullLengths(strong checksum.Strong) Lengths {
	return Lengths{SeqMatches: 1, Rsum: MaxRsumLength, Strong: strong.Size()}
}
