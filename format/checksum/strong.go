package checksum

import (
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"

	//lint:ignore SA1019 the format names MD4, and what trust it deserves is decided by its users
	"golang.org/x/crypto/md4"
)

// Strong is an algorithm for the strong checksum of a block. The zero value is MD4.
type Strong int

// The algorithms that a control file may name.
const (
	MD4 Strong = iota
	MD5
	SHA224
)

// strongs has what differs between the algorithms, by Strong.
var strongs = [...]struct {
	name string
	size int
	pool *sync.Pool
}{
	MD4:    {"MD4", md4.Size, &sync.Pool{New: func() any { return md4.New() }}},
	MD5:    {"MD5", md5.Size, &sync.Pool{New: func() any { return md5.New() }}},
	SHA224: {"SHA-224", sha256.Size224, &sync.Pool{New: func() any { return sha256.New224() }}},
}

// ParseStrong is the algorithm that a control file names so.
func ParseStrong(name string) (Strong, bool) {
	for i, s := range strongs {
		if s.name == name {
			return Strong(i), true
		}
	}
	return 0, false
}

// String is the name as control files have it.
func (s Strong) String() string {
	if !s.Valid() {
		return fmt.Sprintf("Strong(%d)", int(s))
	}
	return strongs[s].name
}

// Valid says whether s is one of the algorithms above. The other methods but
// String panic when it is not.
func (s Strong) Valid() bool { return s >= 0 && int(s) < len(strongs) }

// Size is the number of bytes of a digest.
func (s Strong) Size() int { return strongs[s].size }

// zeros is what the last block of a target is padded with.
var zeros [4096]byte

// SumBlocks appends to dst the digests of the blocks of data, blockSize bytes
// each; the last, if shorter, is padded with zeros to blockSize. Size bytes are
// appended for each block. blockSize is positive. It takes no memory but what
// dst needs to grow. Safe for concurrent use.
func (s Strong) SumBlocks(dst, data []byte, blockSize int) []byte {
	return sumBlocks(best, s, dst, data, blockSize)
}

func sumBlocks(v variant, s Strong, dst, data []byte, blockSize int) []byte {
	dst, done := sumLanes(v, s, dst, data, blockSize)
	if done == len(data) {
		return dst
	}
	return sumScalar(s, dst, data[done:], blockSize)
}

// sumScalar sums one block after the other.
func sumScalar(s Strong, dst, data []byte, blockSize int) []byte {
	pool := strongs[s].pool
	h := pool.Get().(hash.Hash)
	defer pool.Put(h)
	for len(data) > 0 {
		n := min(blockSize, len(data))
		h.Reset()
		h.Write(data[:n])
		for pad := blockSize - n; pad > 0; {
			k := min(pad, len(zeros))
			h.Write(zeros[:k])
			pad -= k
		}
		dst = h.Sum(dst)
		data = data[n:]
	}
	return dst
}
