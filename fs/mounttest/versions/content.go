package versions

import (
	"encoding/binary"
	"fmt"
)

// Length is the length of a version, in bytes: the even pairs are small enough
// to be verified before the first byte is served, the odd ones are not.
func Length(version int) int64 {
	pair := int64(version / 2)
	if pair%2 == 0 {
		return 20_011 + pair*431%100_000
	}
	return 280_003 + pair*757%150_000
}

// blockSize is that of a version's control file: with the smallest blocks the
// records of the large ones do not come along with the header.
func blockSize(version int) int64 { return 512 << (version / 2 / 2 % 3) }

// The factors are odd, so a word can be undone.
const (
	versionFactor = 0x9e3779b97f4a7c15
	placeFactor   = 0xc2b2ae3d27d4eb4f
)

// inverse of versionFactor modulo 2^64, by Newton's method.
var inverse = func() uint64 {
	x := uint64(versionFactor)
	for range 6 {
		x *= 2 - versionFactor*x
	}
	return x
}()

// word is what stands at byte 8*i of a version.
func word(version int, i int64) uint64 {
	return uint64(version)*versionFactor + uint64(i)*placeFactor
}

// Content is the whole of a version.
//
//go:norace
func Content(version int) []byte {
	length := Length(version)
	p := make([]byte, (length+7)/8*8)
	for i := range int64(len(p) / 8) {
		binary.LittleEndian.PutUint64(p[8*i:], word(version, i))
	}
	return p[:length]
}

// maxVersion bounds the versions that are believed.
const maxVersion = 1 << 14

// Identify is the version that has p at byte off; 0 when p is too short to tell.
//
//go:norace
func Identify(p []byte, off int64) (version int, err error) {
	at := (off + 7) / 8 * 8
	for ; at+8 <= off+int64(len(p)); at += 8 {
		w := binary.LittleEndian.Uint64(p[at-off:])
		v := (w - uint64(at/8)*placeFactor) * inverse
		switch {
		case v == 0 || v > maxVersion:
			return version, fmt.Errorf("bytes of no version at %d: %#016x", at, w)
		case version == 0:
			version = int(v)
		case version != int(v):
			return version, fmt.Errorf("version %d before %d, and version %d from there on", version, at, v)
		}
	}
	return version, nil
}
