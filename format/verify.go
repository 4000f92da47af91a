package format

import (
	"bytes"
	"fmt"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// fileHashAlgorithms are the digests of a whole target that can be checked.
var fileHashAlgorithms = []struct {
	name   string
	digest checksum.Digest
}{
	{"SHA-1", checksum.SHA1},
	{"SHA-256", checksum.SHA256},
}

// fileHashSize is the number of bytes of a digest of the algorithm; 0 when it
// is not known.
func fileHashSize(algorithm string) int {
	for _, known := range fileHashAlgorithms {
		if known.name == algorithm {
			return known.digest.Size()
		}
	}
	return 0
}

// FileVerifier takes a whole target and checks every digest of its header. Not
// safe for concurrent use.
type FileVerifier struct {
	length, written int64
	hashes          []FileHash
	digests         *checksum.Digests
}

// NewFileVerifier is a verifier for h's target. With no FileHashes in h, Check
// returns ErrNoFileHash.
func (h *Header) NewFileVerifier() *FileVerifier {
	return &FileVerifier{length: h.Length, hashes: h.FileHashes, digests: checksum.NewDigests(h.digests()...)}
}

// digests are the algorithms of h's FileHashes, each once.
func (h *Header) digests() []checksum.Digest {
	var list []checksum.Digest
	for _, known := range fileHashAlgorithms {
		for _, f := range h.FileHashes {
			if f.Algorithm == known.name {
				list = append(list, known.digest)
				break
			}
		}
	}
	return list
}

// Write takes the next bytes of the target; it never fails. The digests are
// computed on several cores when p is large (a MiB is).
func (v *FileVerifier) Write(p []byte) (int, error) {
	v.written += int64(len(p))
	// Bytes past the end are counted only: the length already decides.
	if v.written <= v.length {
		v.digests.Write(p)
	}
	return len(p), nil
}

// Check compares the digests. Errors: *FileHashError naming the algorithm, the
// digest in the header and the one found; ErrNoFileHash; ErrLength (wrapped)
// when more or fewer bytes than Length were written.
func (v *FileVerifier) Check() error {
	if v.written != v.length {
		return fmt.Errorf("%w: %d bytes, not %d", ErrLength, v.written, v.length)
	}
	if len(v.hashes) == 0 {
		return ErrNoFileHash
	}
	for _, want := range v.hashes {
		got := v.sum(want.Algorithm)
		if !bytes.Equal(got, want.Digest) {
			return &FileHashError{Algorithm: want.Algorithm, Want: bytes.Clone(want.Digest), Got: got}
		}
	}
	return nil
}

// sum is the digest found for the algorithm; nil when it cannot be computed,
// which agrees with no digest.
func (v *FileVerifier) sum(algorithm string) []byte {
	for _, known := range fileHashAlgorithms {
		if known.name == algorithm {
			return v.digests.Sum(known.digest)
		}
	}
	return nil
}
