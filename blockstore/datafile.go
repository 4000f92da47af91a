package blockstore

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
)

// dataFile is a data file that is open, once however many of this process use it:
// its version, and those that refer to its bytes. So the kernel can tell whether
// anybody else has it (see mapped).
type dataFile struct {
	*os.File
	id   fileID
	uses int // guarded by dataFiles.mu

	// segments are the ways in which others refer to the file. Mostly there is one at
	// most: a second one has it by mistake, after somebody swapped files.
	mu       sync.Mutex // a leaf
	segments []*segment // guarded by mu
}

// add and remove keep the segments.
func (d *dataFile) add(g *segment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.segments = append(d.segments, g)
}

func (d *dataFile) remove(g *segment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.segments = slices.DeleteFunc(d.segments, func(other *segment) bool { return other == g })
}

// dropUsers has all who refer to bytes r forget the blocks.
func (d *dataFile) dropUsers(r format.Range) {
	d.mu.Lock()
	segments := slices.Clone(d.segments)
	d.mu.Unlock()
	for _, g := range segments {
		g.dropUsers(r)
	}
}

// used says whether others refer, or may, to bytes of the file.
func (d *dataFile) used() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.segments) > 0
}

// changing are those of bytes data, which are about to be written at off, that are others
// there now; all, when nobody refers to the file.
func (d *dataFile) changing(data []byte, off int64) (out []format.Range) {
	all := format.Range{Start: off, End: off + int64(len(data))}
	if !d.used() || len(data) == 0 {
		return []format.Range{all}
	}
	now := borrow(all.Length())
	defer giveBack(now)
	n, _ := d.ReadAt(*now, off)
	for at := 0; at < len(data); at += diskPage {
		end := min(at+diskPage, len(data))
		if end <= n && bytes.Equal(data[at:end], (*now)[at:end]) {
			continue
		}
		r := format.Range{Start: off + int64(at), End: off + int64(end)}
		if last := len(out) - 1; last >= 0 && out[last].End == r.Start {
			out[last].End = r.End
		} else {
			out = append(out, r)
		}
	}
	return out
}

// dataFiles are those that are open. It is one table for all stores, as the
// kernel's is.
var dataFiles = struct {
	mu   sync.Mutex // a leaf; the closing of a file is the only I/O under it
	open map[fileID]*dataFile
}{open: map[fileID]*dataFile{}}

// asDataFile is f, whose id is this, as a data file: f itself, or the same file that is
// open already; f is closed then.
func asDataFile(f *os.File, id fileID) *dataFile {
	dataFiles.mu.Lock()
	defer dataFiles.mu.Unlock()
	if known := dataFiles.open[id]; known != nil {
		known.uses++
		f.Close()
		return known
	}
	d := &dataFile{File: f, id: id, uses: 1}
	dataFiles.open[id] = d
	return d
}

// openDataFile opens the data file at path, for somebody who is not its version. Errors:
// those of OpenFile.
func openDataFile(path string) (*dataFile, error) {
	f, err := OpenFile(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	id, err := idOf(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("blockstore: %w", err)
	}
	return asDataFile(f, id), nil
}

// Close ends one use; the last closes the file.
func (d *dataFile) Close() error {
	dataFiles.mu.Lock()
	defer dataFiles.mu.Unlock()
	if d.uses--; d.uses > 0 {
		return nil
	}
	delete(dataFiles.open, d.id)
	return d.File.Close()
}
