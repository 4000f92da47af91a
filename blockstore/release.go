package blockstore

import (
	"fmt"

	"github.com/zsyncfs/zsyncfs/format"
)

// release gives back the room of blocks which are not in the own file any more, as
// far as that is so, but for the bytes keep, which others need; the map on the disk
// must not speak of them.
func (v *Version) release(free []format.BlockRange, keep extents) error {
	for _, r := range free {
		if err := v.releaseRun(r, keep); err != nil {
			return fmt.Errorf("blockstore: give back room: %w", err)
		}
	}
	return v.resettle()
}

func (v *Version) releaseRun(r format.BlockRange, keep extents) error {
	parts, err := v.enter()
	if err != nil {
		return err
	}
	defer v.leave()
	at := v.geometry().Bytes(r)
	v.mu.Lock()
	taken := v.anyOwn(at)
	// A page of the disk may have blocks that stay.
	start, end := at.Start/diskPage*diskPage, (at.End+diskPage-1)/diskPage*diskPage
	stays := func(r format.Range) bool { return r.Length() > 0 && (v.anyOwn(r) || len(keep.within(r)) > 0) }
	if stays(format.Range{Start: start, End: at.Start}) {
		start += diskPage
	}
	if stays(format.Range{Start: at.End, End: end}) {
		end -= diskPage
	}
	v.mu.Unlock()
	if taken || start >= end {
		return nil
	}
	// Another process may be making a copy of the file.
	if err := tryLock(parts.data.File); err != nil {
		return errPinned
	}
	defer unlock(parts.data.File)
	defer v.store.claim(v.key, format.Range{Start: start, End: end})()
	return punch(parts.data.File, start, end-start)
}

// anyOwn says whether a block in bytes r is in the own file. It needs mu.
func (v *Version) anyOwn(r format.Range) bool {
	b := v.geometry().Covering(r)
	return b.Count() > 0 && v.table.own.next(true, int64(b.Start), int64(b.End)) < int64(b.End)
}

// resettle books what the version takes, after room was given back.
func (v *Version) resettle() error {
	v.folder.Lock()
	if v.parts == nil || v.discarded {
		v.folder.Unlock()
		return nil
	}
	set := v.settle(0)
	v.folder.Unlock()
	return v.store.commit(set)
}
