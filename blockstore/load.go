package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zsyncfs/zsyncfs/format"
)

// loaded is what the files of a version say.
type loaded struct {
	parts *parts
	table *table
	state State
	disk  State              // the state that the disk tells, which may be too good
	sums  bool               // it is Verified, and has a manifest
	pages map[int64]struct{} // pages of "known" that must be written again
	// shared are the runs that lie in other versions' files, as the disk tells.
	shared []located
}

// loadParts opens the files in dir, making those that are not there. What they
// hold is believed as far as it can be true: blocks without a record or past
// the end of the data file are forgotten.
func loadParts(dir string, key Key, h *format.Header, warn func(error)) (*loaded, error) {
	for _, temp := range []string{metaTempName, sharedTemp, manifestTemp} {
		_ = os.Remove(filepath.Join(dir, temp)) // what a kill left
	}
	l := &loaded{parts: &parts{}, table: newTable(h.Geometry()), pages: map[int64]struct{}{}}
	meta, err := loadMeta(dir)
	switch {
	case err == nil && meta.key == key && meta.controlLength == h.ControlLength():
		l.state, l.disk = meta.state, meta.state
	case errors.Is(err, fs.ErrNotExist):
		meta = &versionMeta{} // new, or not older than the first checkpoint
	default:
		warn(fmt.Errorf("blockstore: version %v starts anew: %w", key, errors.Join(errMeta, err)))
		meta = &versionMeta{}
	}
	if err := l.parts.open(dir, h.ControlLength(), meta); err != nil {
		return nil, err
	}
	l.loadKnown(key, h, warn)
	if l.shared, err = readShared(dir, key, l.table.blocks); err != nil {
		warn(fmt.Errorf("blockstore: version %v: %w", key, err))
	}
	if l.state == Verified {
		l.loadManifest(dir)
	}
	return l, nil
}

// loadManifest looks for the manifest of a version that is Verified.
func (l *loaded) loadManifest(dir string) {
	f, err := OpenFile(filepath.Join(dir, manifestName), os.O_RDONLY)
	l.sums = err == nil
	switch {
	case l.sums && len(l.shared) > 0:
		l.parts.sums = f
	case l.sums:
		f.Close()
	case len(l.shared) > 0 || l.table.count < l.table.blocks:
		l.state = Provisional // nobody knows what the others have by now, or what comes
	}
}

// loadKnown fills the table from the file "known".
func (l *loaded) loadKnown(key Key, h *format.Header, warn func(error)) {
	t := l.table
	if err := readKnown(l.parts.known, t.own, t.blocks, key, nil); err != nil {
		warn(fmt.Errorf("blockstore: version %v: %w", key, err))
		for i := range pageCount(t.blocks) {
			l.pages[i] = struct{}{}
		}
	}
	t.recount()
	before := t.count
	for _, gap := range l.parts.control.missing() {
		t.forget(t.clip(recordBlocks(h, gap)))
	}
	size := int64(0)
	if info, err := l.parts.data.Stat(); err == nil {
		size = info.Size()
	}
	if g := t.geometry; size < g.Length {
		t.forget(format.BlockRange{Start: g.Block(size), End: format.BlockID(t.blocks)})
	}
	if t.count != before {
		for i := range pageCount(t.blocks) {
			l.pages[i] = struct{}{}
		}
	}
}

// loadMeta reads the file "meta" of a version's folder. Errors: errMeta
// (wrapped); fs.ErrNotExist; the disk's.
func loadMeta(dir string) (*versionMeta, error) {
	p, err := ReadFile(filepath.Join(dir, metaName), maxMetaFile)
	if err != nil {
		return nil, err
	}
	return decodeMeta(p)
}
