package blockstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/zsyncfs/zsyncfs/format"
)

// The file "shared" of a version says which of its blocks are in the data files
// of other versions, little-endian:
//
//	0    "zsyncfsR"
//	8    layout, 2 bytes: 1
//	10   zero, 2 bytes
//	12   number of owners, 4 bytes
//	16   number of runs, 4 bytes
//	20   Key of the version
//	52   owners: the Keys of the versions that have the bytes
//	...  runs, ascending and disjoint: first block, 8 bytes; number of blocks, 8
//	     bytes; offset of the first in the owner's data file, 8 bytes; index of the
//	     owner, 4 bytes
//	...  CRC-32C of all before, 4 bytes
//
// It is replaced as a whole, and is not there when nothing is shared. A block that
// is in the own data file as well is read from there. Nothing in it needs to be
// true: each block is held against its record when it is first read.
const (
	sharedMagic  = "zsyncfsR"
	sharedLayout = 1
	sharedFixed  = 52
	sharedRun    = 28

	// maxShared is how many runs a version shares at most.
	maxShared = 1 << 20
	// maxSharedFile bounds what is read of the file, in bytes.
	maxSharedFile = sharedFixed + maxOwners*32 + maxShared*sharedRun + 4
)

var errShared = errors.New("the list of shared runs is damaged")

// owners are the versions in whose files runs are, each once.
func owners(runs []shared) (out []Key) {
	seen := map[*segment]bool{}
	for _, s := range runs {
		if seen[s.segment] {
			continue
		}
		seen[s.segment] = true
		if !slices.Contains(out, s.segment.key) { // a version can have had another file before
			out = append(out, s.segment.key)
		}
	}
	return out
}

// ownersOf are the versions in whose files runs are, each once.
func ownersOf(runs []located) (out []Key) {
	for _, r := range runs {
		if !slices.Contains(out, r.owner) {
			out = append(out, r.owner)
		}
	}
	return out
}

// encodeShared is the content of the file; empty, not nil, without runs.
func encodeShared(key Key, runs []shared) []byte {
	if len(runs) == 0 {
		return []byte{}
	}
	le := binary.LittleEndian
	keys := owners(runs)
	out := le.AppendUint16([]byte(sharedMagic), sharedLayout)
	out = append(out, 0, 0)
	out = le.AppendUint32(le.AppendUint32(out, uint32(len(keys))), uint32(len(runs)))
	out = append(out, key[:]...)
	index := map[Key]uint32{}
	for i, k := range keys {
		out = append(out, k[:]...)
		index[k] = uint32(i)
	}
	for _, s := range runs {
		for _, n := range []int64{int64(s.blocks.Start), s.blocks.Count(), s.off} {
			out = le.AppendUint64(out, uint64(n))
		}
		out = le.AppendUint32(out, index[s.segment.key])
	}
	return appendSum(out)
}

// located is a run of blocks whose bytes are in the data file of the version
// owner, one behind the other from off on. file is the one that was looked at; nil,
// of what the disk tells: whichever the owner has.
type located struct {
	blocks format.BlockRange
	off    int64
	owner  Key
	file   *dataFile
}

// decodeShared is the opposite of encodeShared, for a version of this key and so
// many blocks. Errors: errShared, wrapped.
func decodeShared(p []byte, key Key, blocks int64) ([]located, error) {
	le := binary.LittleEndian
	if len(p) < sharedFixed+4 || !bytes.HasPrefix(p, []byte(sharedMagic)) {
		return nil, errShared
	}
	body := p[:len(p)-4]
	keys, count := int64(le.Uint32(p[12:])), int64(le.Uint32(p[16:]))
	if le.Uint32(p[len(body):]) != crc32.Checksum(body, castagnoli) || le.Uint16(p[8:]) != sharedLayout || Key(p[20:52]) != key ||
		keys > maxOwners || count > maxShared || int64(len(body)) != sharedFixed+keys*32+count*sharedRun {
		return nil, errShared
	}
	at := body[sharedFixed+keys*32:]
	out, next := make([]located, 0, count), int64(0)
	for ; len(at) > 0; at = at[sharedRun:] {
		first, n, off, owner := int64(le.Uint64(at)), int64(le.Uint64(at[8:])), int64(le.Uint64(at[16:])), int64(le.Uint32(at[24:]))
		if first < next || n <= 0 || n > blocks || first > blocks-n || off < 0 || off > 1<<56 || owner >= keys {
			return nil, fmt.Errorf("%w: a run does not fit", errShared)
		}
		next = first + n
		out = append(out, located{
			blocks: format.BlockRange{Start: format.BlockID(first), End: format.BlockID(next)},
			off:    off, owner: Key(body[sharedFixed+owner*32:][:32]),
		})
	}
	return out, nil
}

// readShared reads the file in a version's folder; none is an empty one.
// Errors: errShared (wrapped); the disk's.
func readShared(dir string, key Key, blocks int64) ([]located, error) {
	p, err := ReadFile(filepath.Join(dir, sharedName), maxSharedFile+1)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(p) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeShared(p, key, blocks)
}

func writeShared(dir string, p []byte) error {
	if len(p) == 0 {
		err := os.Remove(filepath.Join(dir, sharedName))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	err := replaceFile(filepath.Join(dir, sharedName), filepath.Join(dir, sharedTemp), p, true)
	if err != nil {
		return err
	}
	return syncDir(dir)
}
