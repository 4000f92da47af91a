package checksum

import (
	"crypto/sha1"
	"crypto/sha256"
	"hash"
)

// Digest is an algorithm for the digest of a whole target.
type Digest int

// The digests of a whole target that this package computes.
const (
	SHA1 Digest = iota
	SHA256
)

// Size is the number of bytes of the digest.
func (d Digest) Size() int {
	if d == SHA1 {
		return sha1.Size
	}
	return sha256.Size
}

func (d Digest) new() hash.Hash {
	if d == SHA1 {
		return sha1.New()
	}
	return sha256.New()
}

// Digests computes several digests of one stream of bytes. Not safe for
// concurrent use.
type Digests struct {
	list   []Digest
	hashes []hash.Hash
}

// NewDigests computes the digests given; none is allowed.
func NewDigests(list ...Digest) *Digests {
	d := &Digests{list: list}
	for _, one := range list {
		d.hashes = append(d.hashes, one.new())
	}
	return d
}

// parallelSize is the number of bytes from which on starting goroutines costs
// nothing that could be seen beside the sums themselves.
const parallelSize = 128 << 10

// Write takes the next bytes; it never fails. It returns when p is no longer
// needed.
func (d *Digests) Write(p []byte) (int, error) {
	if len(p) < parallelSize || len(d.hashes) < 2 {
		for _, h := range d.hashes {
			h.Write(p)
		}
		return len(p), nil
	}
	parallel(len(d.hashes), func(i int) { d.hashes[i].Write(p) })
	return len(p), nil
}

// Sum is the digest of the bytes so far; nil when NewDigests was not given it.
func (d *Digests) Sum(which Digest) []byte {
	for i, one := range d.list {
		if one == which {
			return d.hashes[i].Sum(nil)
		}
	}
	return nil
}
