package blockstore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/zsyncfs/zsyncfs/format"
)

// The file "manifest" of a version that was verified has the content address of each
// block: the SHA-256 of its bytes. It is a sequence of pages; page i is
//
//	0     SHA-256 of the blocks from i*manifestSums on, 32 bytes each
//	4064  zero, 20 bytes (in a page of the known map these are not)
//	4084  i, 8 bytes, little-endian
//	4092  CRC-32C of the version's Key and the 4092 bytes before
//
// It is replaced as a whole and counts only while the version is Verified: then a
// block that was lost and comes again, by Put or by Share, is held against it, and the
// version stays verified; and Recheck finds what checksums that are cut short do not tell.
const (
	manifestName = "manifest"
	manifestTemp = "manifest.new"
	manifestSums = 127
	manifestEnd  = manifestSums * sha256.Size
)

// ErrOtherContent: bytes agree with their records, and are not those of the version
// as a whole, which was verified before.
var ErrOtherContent = errors.New("blockstore: the bytes are not those that were verified")

// Manifest takes a whole target that is being verified, and keeps the SHA-256 of
// each of its blocks. It belongs to one goroutine; Commit or Abort must follow.
type Manifest struct {
	v    *Version
	f    *os.File // nil: there is no room, nothing is kept
	out  *bufio.Writer
	room int64
	err  error // of the disk, the first

	block  hash.Hash
	filled int64 // bytes of the block
	page   []byte
	sums   int64 // of all blocks so far
}

// NewManifest begins a manifest of the version. Without room for one none is kept,
// and none while another is being made: two mounts may verify one version at once.
func (v *Version) NewManifest() *Manifest {
	m := &Manifest{v: v, block: sha256.New(), page: make([]byte, 0, pageSize)}
	if v.nowhere {
		return m
	}
	blocks := v.geometry().BlockCount()
	var err error
	if m.room, err = v.store.reserve((blocks + manifestSums - 1) / manifestSums * pageSize); err != nil {
		return m
	}
	v.folder.Lock()
	defer v.folder.Unlock()
	temp := filepath.Join(v.path(), manifestTemp)
	if v.parts == nil || v.discarded || v.manifest != nil || removeOdd(temp) != nil {
		return m
	}
	if m.f, m.err = OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC); m.err == nil {
		v.manifest = m
		m.out = bufio.NewWriterSize(m.f, 16*pageSize)
	}
	return m
}

// Write takes the next bytes of the target. It never fails.
func (m *Manifest) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && m.f != nil {
		part := p[:min(int64(len(p)), m.v.header.BlockSize-m.filled)]
		m.block.Write(part)
		m.filled += int64(len(part))
		if p = p[len(part):]; m.filled == m.v.header.BlockSize {
			m.endBlock()
		}
	}
	return n, nil
}

func (m *Manifest) endBlock() {
	m.page = m.block.Sum(m.page)
	m.block.Reset()
	m.filled = 0
	if m.sums++; len(m.page) == manifestEnd {
		m.endPage()
	}
}

func (m *Manifest) endPage() {
	number := (m.sums - 1) / manifestSums
	p := m.page[:pageSize]
	clear(p[len(m.page):])
	binary.LittleEndian.PutUint64(p[pageSize-12:], uint64(number))
	binary.LittleEndian.PutUint32(p[pageSize-4:], pageSum(p, m.v.key))
	if _, err := m.out.Write(p); err != nil && m.err == nil {
		m.err = err
	}
	m.page = m.page[:0]
}

// Commit keeps the manifest, which must have had the whole target. Errors: of the
// disk, of which the store tells; then the version has none.
func (m *Manifest) Commit() error {
	defer m.Abort()
	err := m.commit()
	m.v.store.trouble(err)
	return err
}

func (m *Manifest) commit() error {
	if m.f == nil {
		return m.err
	}
	if m.filled > 0 {
		m.endBlock()
	}
	if len(m.page) > 0 {
		m.endPage()
	}
	if m.sums != m.v.geometry().BlockCount() {
		return fmt.Errorf("%w: a manifest of %d blocks", ErrInvalid, m.sums)
	}
	err := errors.Join(m.err, m.out.Flush())
	if err == nil {
		err = syncFile(m.f)
	}
	v := m.v
	v.folder.Lock()
	defer v.folder.Unlock()
	if v.parts == nil || v.discarded {
		return ErrClosed
	}
	if err == nil {
		failpoint("manifest.synced")
		err = os.Rename(filepath.Join(v.path(), manifestTemp), filepath.Join(v.path(), manifestName))
	}
	if err != nil {
		return writeError("write the manifest", err)
	}
	failpoint("manifest.named")
	v.mu.Lock()
	v.sums = true
	v.mu.Unlock()
	return v.settle(0)
}

// Abort drops what is not committed. It may be called twice.
func (m *Manifest) Abort() {
	if m.f != nil {
		m.f.Close()
		m.v.folder.Lock()
		if m.v.parts != nil {
			os.Remove(filepath.Join(m.v.path(), manifestTemp))
		}
		m.v.manifest = nil
		m.v.folder.Unlock()
		m.f = nil
	}
	if m.room > 0 {
		m.v.store.unreserve(m.room)
		m.room = 0
	}
}

// differing are those of blocks, whose bytes are data, that are not what the
// manifest says; known is false when there is none for them.
func (v *Version) differing(blocks format.BlockRange, data []byte) (bad []format.BlockID, known bool) {
	if v.nowhere || v.State() != Verified || blocks.Count() == 0 {
		return nil, false
	}
	v.folder.Lock()
	path := filepath.Join(v.path(), manifestName)
	v.folder.Unlock()
	f, err := OpenFile(path, os.O_RDONLY)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	return v.differingFrom(f, blocks, data)
}

// differingFrom is differing, by the manifest f.
func (v *Version) differingFrom(f *os.File, blocks format.BlockRange, data []byte) (bad []format.BlockID, known bool) {
	page, number := make([]byte, pageSize), int64(-1)
	for b := blocks.Start; b < blocks.End; b++ {
		if i := int64(b) / manifestSums; i != number {
			number = i
			if _, err := f.ReadAt(page, i*pageSize); err != nil && err != io.EOF || !v.isPage(page, i) {
				return nil, false
			}
		}
		n := v.geometry().BlockLength(b)
		sum := sha256.Sum256(data[:n])
		if data = data[n:]; !bytes.Equal(sum[:], page[int64(b)%manifestSums*sha256.Size:][:sha256.Size]) {
			bad = append(bad, b)
		}
	}
	return bad, true
}

// agreeing is how many of the first good blocks from first on, which lie in another
// version's file, have the bytes that were verified. While this version was closed others
// may have changed that file. With a manifest that is damaged the version is provisional.
func (v *Version) agreeing(parts *parts, first format.BlockID, data []byte, good int64) int64 {
	if parts.sums == nil || good == 0 || v.State() != Verified {
		return good
	}
	switch bad, known := v.differingFrom(parts.sums, format.BlockRange{Start: first, End: first + format.BlockID(good)}, data); {
	case !known:
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.state == Verified {
			v.setState(Provisional)
		}
	case len(bad) > 0:
		return int64(bad[0] - first)
	}
	return good
}

// asVerified are the blocks of runs whose bytes are what the manifest says; sure is
// false, and runs are as they were, when that is not known.
func (v *Version) asVerified(runs []located) (out []located, sure bool) {
	if v.State() != Verified {
		return runs, false
	}
	step := format.BlockID(max(moveStep/v.header.BlockSize, 1))
	buf := make([]byte, int64(step)*v.header.BlockSize)
	for _, r := range runs {
		for b := r.blocks.Start; b < r.blocks.End; b += step {
			part := located{blocks: format.BlockRange{Start: b, End: min(b+step, r.blocks.End)}, owner: r.owner, file: r.file}
			part.off = r.off + v.geometry().Offset(b) - v.geometry().Offset(r.blocks.Start)
			data := buf[:v.geometry().Bytes(part.blocks).Length()]
			if n, _ := r.file.ReadAt(data, part.off); n < len(data) {
				continue
			}
			bad, known := v.differing(part.blocks, data)
			if !known {
				return runs, false
			}
			out = v.without(part, bad, out)
		}
	}
	return out, true
}

// without appends r to out, but for the blocks bad, which are ascending.
func (v *Version) without(r located, bad []format.BlockID, out []located) []located {
	g := v.geometry()
	start := r.blocks.Start
	for _, b := range append(bad, r.blocks.End) {
		if start < b {
			part := r
			part.blocks = format.BlockRange{Start: start, End: b}
			part.off += g.Offset(start) - g.Offset(r.blocks.Start)
			out = append(out, part)
		}
		start = b + 1
	}
	return out
}

// isPage says whether p is page i of the version's manifest, and none of its known map,
// which has something else than zeros where sums have ended.
func (v *Version) isPage(p []byte, i int64) bool {
	le := binary.LittleEndian
	return le.Uint32(p[pageSize-4:]) == pageSum(p, v.key) && le.Uint64(p[pageSize-12:]) == uint64(i) &&
		allZero(p[manifestEnd:pageSize-12])
}
