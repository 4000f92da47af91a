package blockstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/zsyncfs/zsyncfs/format"
)

// Collected is what Collect gave back.
type Collected struct {
	Versions int   // that had no blocks
	Bytes    int64 // of room, in all
}

// Collect gives back room that nobody needs: versions without blocks that nobody
// has open, folders that are none of a version, and parts of data files that hold
// no block. It evicts nothing. Errors: of the disk; ErrClosed. Safe for concurrent
// use.
func (s *Store) Collect() (c Collected, err error) {
	before := s.Stats().DiskBytes
	entries, err := s.AllEntries()
	if err != nil {
		return c, err
	}
	var errs []error
	for _, e := range entries {
		if e.Bytes == 0 && s.openVersionOf(e.Key) == nil {
			switch err := s.Remove(e.Key); {
			case err == nil:
				c.Versions++
			case !errors.Is(err, ErrInUse) && !errors.Is(err, ErrNotFound):
				errs = append(errs, err)
			}
			continue
		}
		err := s.withVersion(e.Key, (*Version).trim)
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, errPinned) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, s.removeLitter())
	c.Bytes = max(before-s.Stats().DiskBytes, 0)
	return c, errors.Join(errs...)
}

// trim gives back the room of parts of the data file that hold no block.
func (v *Version) trim() error {
	s := v.store
	s.moving.Lock()
	defer s.moving.Unlock()
	if s.discarded(v) {
		return nil
	}
	if more, err := v.takesMore(); !more || err != nil {
		return err
	}
	if s.pinned(v.key) {
		return errPinned
	}
	// As in giveBack: a full disk may not let that be written.
	if err := v.Checkpoint(); err != nil && !isDisk(err) {
		return err
	}
	needed, err := s.neededOf(v.key)
	if err != nil {
		return err
	}
	keep := extentsOf(needed)
	v.mu.Lock()
	var free []format.BlockRange
	for b := int64(0); b < v.table.blocks; {
		first := v.table.own.next(false, b, v.table.blocks)
		b = v.table.own.next(true, first, v.table.blocks)
		if first < b {
			free = v.withoutBytes(format.BlockRange{Start: format.BlockID(first), End: format.BlockID(b)}, keep, free)
		}
	}
	v.mu.Unlock()
	return v.release(free, keep)
}

// takesMore says that the data file takes more room than its blocks do.
func (v *Version) takesMore() (bool, error) {
	parts, err := v.enter()
	if err != nil {
		return false, err
	}
	defer v.leave()
	info, err := parts.data.Stat()
	if err != nil {
		return false, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	_, own := v.table.bytes()
	return diskBytes(info) > (own+diskPage-1)/diskPage*diskPage, nil
}

// withoutBytes appends to out the blocks of r that have none of the bytes keep.
func (v *Version) withoutBytes(r format.BlockRange, keep extents, out []format.BlockRange) []format.BlockRange {
	for _, gap := range keep.missing(v.geometry().Bytes(r)) {
		if free := inside(v.geometry(), gap); free.Count() > 0 {
			out = append(out, free)
		}
	}
	return out
}

// removeLitter removes folders that were set aside and are there still, because a
// removal failed.
func (s *Store) removeLitter() error {
	names, err := os.ReadDir(s.versionsDir())
	s.mu.Lock()
	busy := len(s.orphans) > 0
	s.mu.Unlock()
	if busy {
		return nil // their folders are among them
	}
	var errs []error
	for _, e := range names {
		if strings.HasPrefix(e.Name(), condemnedID) {
			errs = append(errs, os.RemoveAll(filepath.Join(s.versionsDir(), e.Name())))
		}
	}
	return errors.Join(append(errs, err)...)
}
