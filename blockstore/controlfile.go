package blockstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/zsyncfs/zsyncfs/format"
)

// controlFile is the file "control" of a version: the bytes of a control file
// up to ControlLength, as far as they are here. Each page of controlPage bytes
// has a checksum, and is held against it before it is used for the first time
// since Open; a page that does not agree is forgotten. Safe for concurrent use.
type controlFile struct {
	f      *os.File
	length int64

	// writing is held by a put during its I/O, so that there is one at a time.
	writing sync.Mutex

	// agreed says that the file is whole and that its ID was computed since.
	agreed atomic.Bool

	mu      sync.Mutex // no I/O while held
	have    extents    // guarded by mu
	sums    []uint32   // guarded by mu
	checked *bitset    // guarded by mu; pages
	dirty   bool       // guarded by mu; changed since the last snapshot
}

func newControlFile(f *os.File, length int64, have extents, sums []uint32) *controlFile {
	n := sumCount(length)
	if int64(len(sums)) != n {
		have, sums = nil, make([]uint32, n)
	}
	return &controlFile{f: f, length: length, have: have, sums: sums, checked: newBitset(n)}
}

func (c *controlFile) covers(r format.Range) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.have.covers(r)
}

func (c *controlFile) missing() []format.Range {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.have.missing(format.Range{End: c.length})
}

func (c *controlFile) whole() bool { return c.covers(format.Range{End: c.length}) }

// pageRange are the bytes of page i.
func (c *controlFile) pageRange(i int64) format.Range {
	return format.Range{Start: i * controlPage, End: min((i+1)*controlPage, c.length)}
}

// loadPage reads the parts have of page r into buf, the rest of it zero, and
// returns it.
func (c *controlFile) loadPage(buf []byte, r format.Range, have extents) ([]byte, error) {
	buf = buf[:r.Length()]
	clear(buf)
	for _, e := range have {
		if _, err := c.f.ReadAt(buf[e.Start-r.Start:e.End-r.Start], e.Start); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// verify holds the pages that r touches against their checksums, where that
// was not done before. Pages that do not agree are forgotten, and returned as
// one range that covers them; it is empty when all is well.
func (c *controlFile) verify(r format.Range) (damaged format.Range) {
	var buf []byte
	for i := r.Start / controlPage; i*controlPage < r.End; i++ {
		c.mu.Lock()
		page, sum, checked := c.pageRange(i), c.sums[i], c.checked.has(i)
		have := c.have.within(page)
		c.mu.Unlock()
		if checked || len(have) == 0 {
			continue
		}
		if buf == nil {
			buf = make([]byte, controlPage)
		}
		data, err := c.loadPage(buf, page, have)
		good := err == nil && crc32.Checksum(data, castagnoli) == sum
		c.mu.Lock()
		switch {
		case good:
			c.checked.set(i, i+1)
		case c.sums[i] == sum && !c.checked.has(i):
			c.remove(page)
			if damaged.Length() == 0 {
				damaged = page
			}
			damaged.End = page.End
		}
		c.mu.Unlock()
	}
	return damaged
}

// read reads bytes r into p, which is as long. damaged is what verify found.
// Errors: ErrUnknownRecords when not all are here; the disk's.
func (c *controlFile) read(p []byte, r format.Range) (damaged format.Range, err error) {
	if !c.covers(r) {
		return damaged, ErrUnknownRecords
	}
	damaged = c.verify(r)
	if !c.covers(r) {
		return damaged, ErrUnknownRecords
	}
	if _, err := c.f.ReadAt(p, r.Start); err != nil {
		return damaged, fmt.Errorf("blockstore: read records: %w", err)
	}
	return damaged, nil
}

// put adds the bytes p at off, which lie within the file. Pages found damaged
// on the way are returned. Errors: ErrControlConflict, or a write error; then
// nothing was added.
func (c *controlFile) put(p []byte, off int64) (damaged format.Range, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	r := format.Range{Start: off, End: off + int64(len(p))}
	damaged = c.verify(r)
	c.mu.Lock()
	have := c.have
	c.mu.Unlock()
	if err := c.compare(p, off, have.within(r)); err != nil {
		return damaged, err
	}
	for _, e := range have.missing(r) {
		if _, err := c.f.WriteAt(p[e.Start-off:e.End-off], e.Start); err != nil {
			return damaged, writeError("write the control file", err)
		}
	}
	grown := have.add(r)
	sums, buf := []uint32(nil), make([]byte, controlPage)
	first := r.Start / controlPage
	for i := first; i*controlPage < r.End; i++ {
		page := c.pageRange(i)
		data, err := c.loadPage(buf, page, grown.within(page))
		if err != nil {
			return damaged, fmt.Errorf("blockstore: read the control file: %w", err)
		}
		sums = append(sums, crc32.Checksum(data, castagnoli))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.have, c.dirty = c.have.add(r), true
	copy(c.sums[first:], sums)
	c.checked.set(first, first+int64(len(sums)))
	return damaged, nil
}

// compare holds p, which starts at off, against the parts that are here.
func (c *controlFile) compare(p []byte, off int64, parts extents) error {
	buf := make([]byte, controlPage)
	for _, e := range parts {
		for e.Start < e.End {
			b := buf[:min(e.Length(), controlPage)]
			if _, err := c.f.ReadAt(b, e.Start); err != nil {
				return fmt.Errorf("blockstore: read the control file: %w", err)
			}
			if !bytes.Equal(b, p[e.Start-off:][:len(b)]) {
				return ErrControlConflict
			}
			e.Start += int64(len(b))
		}
	}
	return nil
}

var errNotWhole = errors.New("blockstore: the control file is not whole")

// id is the ID of the whole file, which came from place. Errors: errNotWhole, also when a page
// proved damaged, which is then returned; the disk's.
func (c *controlFile) id(place Place) (id ID, damaged format.Range, err error) {
	if !c.whole() {
		return id, damaged, errNotWhole
	}
	damaged = c.verify(format.Range{End: c.length})
	if damaged.Length() > 0 {
		return id, damaged, errNotWhole
	}
	id, err = hashFile(c.f, c.length, place)
	return id, damaged, err
}

// hashFile is the ID of a control file: the first n bytes of f, from place.
func hashFile(f io.ReaderAt, n int64, place Place) (id ID, err error) {
	sum := sha256.New()
	got, err := io.CopyBuffer(sum, io.NewSectionReader(f, 0, n), make([]byte, 256<<10))
	if err == nil && got != n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return id, fmt.Errorf("blockstore: read the control file: %w", err)
	}
	sum.Write([]byte{0})
	sum.Write([]byte(place))
	return ID(sum.Sum(nil)), nil
}

// forget drops the pages that r touches, and returns them as one range.
func (c *controlFile) forget(r format.Range) format.Range {
	r = format.Range{
		Start: r.Start / controlPage * controlPage,
		End:   min((r.End+controlPage-1)/controlPage*controlPage, c.length),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(r)
	return r
}

// remove needs mu.
func (c *controlFile) remove(r format.Range) {
	c.have, c.dirty = c.have.remove(r), true
	c.agreed.Store(false)
}

// rebuild makes the extents and sums of a file whose bytes are all right.
func (c *controlFile) rebuild() error {
	all := format.Range{End: c.length}
	buf := make([]byte, controlPage)
	for i := range c.sums {
		page := c.pageRange(int64(i))
		data, err := c.loadPage(buf, page, extents{page})
		if err != nil {
			return fmt.Errorf("blockstore: read the control file: %w", err)
		}
		c.sums[i] = crc32.Checksum(data, castagnoli)
	}
	c.have, c.dirty = extents(nil).add(all), true
	c.checked.set(0, int64(len(c.sums)))
	return nil
}
