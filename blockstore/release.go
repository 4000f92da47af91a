package blockstore

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

// release gives back the room of blocks which are not in the own file any more, as
// far as that is so, but for the bytes keep, which others need; the map on the disk
// must not speak of them. Where the disk cannot do that (FAT, some of NFS and FUSE), the
// room is given back when the file is removed.
func (v *Version) release(free []format.BlockRange, keep extents) error {
	for _, r := range free {
		for b := r.Start; b < r.End; {
			gap := v.gap(b, r.End)
			if err := v.releaseRun(gap, keep); err != nil {
				v.setStrays(true)
				return fmt.Errorf("blockstore: give back room: %w", err)
			}
			b = gap.End
		}
	}
	return v.resettle()
}

// gap are the first blocks from b on, up to end, that are not in the own file; empty, at
// end, when all are.
func (v *Version) gap(b, end format.BlockID) format.BlockRange {
	v.mu.Lock()
	defer v.mu.Unlock()
	first := v.table.own.next(false, int64(b), int64(end))
	return format.BlockRange{Start: format.BlockID(first), End: format.BlockID(v.table.own.next(true, first, int64(end)))}
}

func (v *Version) releaseRun(r format.BlockRange, keep extents) error {
	parts, err := v.enter()
	if err != nil {
		return err
	}
	defer v.leave()
	if r.Count() == 0 {
		return nil
	}
	v.writing.Lock()
	defer v.writing.Unlock()
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
	defer v.store.claim(parts.data, format.Range{Start: start, End: end}, nil)()
	failpoint("release.recorded")
	if err := punchHole(parts.data.File, start, end-start); isNoHoles(err) {
		v.store.noHoles.Store(true)
		return nil
	} else if err != nil {
		return err
	}
	failpoint("release.punched")
	return nil
}

// isNoHoles says whether err is that of a disk that makes no holes.
func isNoHoles(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS)
}

// setStrays notes whether the data file may have bytes that no map speaks of, because
// blocks were forgotten and their room was not given back. It returns what was noted before.
func (v *Version) setStrays(b bool) (before bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	before, v.strays = v.strays, b
	return before
}

// punchHole is punch; tests have something happen before it.
var punchHole = punch

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
	err := v.settle(0)
	v.folder.Unlock()
	if err != nil {
		return err
	}
	return v.store.commit()
}
