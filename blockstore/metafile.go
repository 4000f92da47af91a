package blockstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/zsyncfs/zsyncfs/format"
)

// The file "meta" of a version, little-endian:
//
//	0    "zsyncfsM"
//	8    layout, 2 bytes: 1
//	10   State, 1 byte
//	11   zero, 5 bytes
//	16   Key
//	48   target Length, BlockSize, ControlLength: 8 bytes each
//	72   number of extents, number of sums: 4 bytes each
//	80   extents: start and end, 8 bytes each; which bytes of "control" are here
//	...  sums: 4 bytes each; CRC-32C of each controlPage bytes of "control",
//	     bytes that are not here taken as zero
//	...  CRC-32C of all before, 4 bytes
//
// It is replaced as a whole, so it is old or new after a crash, never mixed.
const (
	metaMagic  = "zsyncfsM"
	metaLayout = 1
	metaFixed  = 80

	// maxMetaFile bounds what is read of a meta file, in bytes.
	maxMetaFile = 64 << 20
	// maxExtents is how many extents are kept on disk: pieces of a control file
	// beyond that number are fetched again after a restart.
	maxExtents = 4096
)

// controlPage is how many bytes of a control file have a checksum together.
const controlPage = 16 << 10

var errMeta = errors.New("damaged")

// versionMeta is what the file "meta" holds.
type versionMeta struct {
	key           Key
	state         State
	geometry      format.Geometry
	controlLength int64
	have          extents
	sums          []uint32
}

func sumCount(controlLength int64) int64 { return (controlLength + controlPage - 1) / controlPage }

func (m *versionMeta) encode() []byte {
	le := binary.LittleEndian
	have := m.have
	if len(have) > maxExtents {
		// Whole pages are dropped: a sum of a page with some of its bytes gone
		// would look like damage.
		cut := have[maxExtents].Start / controlPage * controlPage
		have = have.within(format.Range{End: cut})
	}
	out := append([]byte(nil), metaMagic...)
	out = le.AppendUint16(out, metaLayout)
	out = append(out, byte(m.state), 0, 0, 0, 0, 0)
	out = append(out, m.key[:]...)
	for _, n := range []int64{m.geometry.Length, m.geometry.BlockSize, m.controlLength} {
		out = le.AppendUint64(out, uint64(n))
	}
	out = le.AppendUint32(out, uint32(len(have)))
	out = le.AppendUint32(out, uint32(len(m.sums)))
	for _, e := range have {
		out = le.AppendUint64(le.AppendUint64(out, uint64(e.Start)), uint64(e.End))
	}
	for _, s := range m.sums {
		out = le.AppendUint32(out, s)
	}
	return appendSum(out)
}

func appendSum(p []byte) []byte {
	return binary.LittleEndian.AppendUint32(p, crc32.Checksum(p, castagnoli))
}

// decodeMeta is the opposite of encode. Errors: errMeta, wrapped.
func decodeMeta(p []byte) (*versionMeta, error) {
	le := binary.LittleEndian
	if len(p) < metaFixed+4 || !bytes.HasPrefix(p, []byte(metaMagic)) {
		return nil, fmt.Errorf("meta file: %w", errMeta)
	}
	body := p[:len(p)-4]
	if le.Uint32(p[len(body):]) != crc32.Checksum(body, castagnoli) {
		return nil, fmt.Errorf("meta file: %w: wrong checksum", errMeta)
	}
	m := &versionMeta{state: State(p[10])}
	copy(m.key[:], p[16:])
	m.geometry = format.Geometry{Length: int64(le.Uint64(p[48:])), BlockSize: int64(le.Uint64(p[56:]))}
	m.controlLength = int64(le.Uint64(p[64:]))
	extentCount, sums := int64(le.Uint32(p[72:])), int64(le.Uint32(p[76:]))
	if le.Uint16(p[8:]) != metaLayout || m.state > Suspect || !plausible(m.geometry) || m.controlLength < 0 ||
		sums != sumCount(m.controlLength) || int64(len(body)) != metaFixed+16*extentCount+4*sums {
		return nil, fmt.Errorf("meta file: %w: numbers do not fit", errMeta)
	}
	at := body[metaFixed:]
	for ; extentCount > 0; extentCount-- {
		m.have = append(m.have, format.Range{Start: int64(le.Uint64(at)), End: int64(le.Uint64(at[8:]))})
		at = at[16:]
	}
	if !m.have.valid(m.controlLength) {
		return nil, fmt.Errorf("meta file: %w: extents do not fit", errMeta)
	}
	m.sums = make([]uint32, sums)
	for i := range m.sums {
		m.sums[i] = le.Uint32(at[4*i:])
	}
	return m, nil
}

// plausible reports whether arithmetic with g cannot overflow.
func plausible(g format.Geometry) bool {
	return g.Length >= 0 && g.Length <= 1<<56 && g.BlockSize > 0 && g.BlockSize <= 1<<40
}
