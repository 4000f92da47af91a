package blockstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/zsyncfs/zsyncfs/format"
)

// Recheck reads every block that is here from the disk and holds it against its
// record, also those that were read before. Those that do not match are forgotten,
// as by ReadAt, and counted. visit is given the bytes of those that do, in order;
// it may be nil. Readers go on meanwhile.
//
// Errors: of the disk; ErrClosed; ctx's; visit's. Safe for concurrent use.
func (v *Version) Recheck(ctx context.Context, visit func(first format.BlockID, data []byte) error) (damaged int64, err error) {
	if v.nowhere {
		return 0, nil
	}
	g := v.geometry()
	step := format.BlockID(max(moveStep/g.BlockSize, 1))
	buf := make([]byte, int64(step)*g.BlockSize)
	for b := format.BlockID(0); b < g.All().End; {
		if ctx.Err() != nil {
			return damaged, context.Cause(ctx)
		}
		run, missing := v.Known(b, min(b+step, g.All().End))
		if run == 0 {
			b += format.BlockID(max(missing, 1))
			continue
		}
		blocks := format.BlockRange{Start: b, End: b + format.BlockID(run)}
		v.mu.Lock()
		v.table.checked.clear(int64(blocks.Start), int64(blocks.End))
		v.mu.Unlock()
		at := g.Bytes(blocks)
		n, err := v.ReadAt(buf[:at.Length()], at.Start)
		good := format.BlockRange{Start: b, End: g.Block(at.Start + int64(n))}
		if err == nil {
			good = blocks
		}
		if bad, _ := v.differing(good, buf[:g.Bytes(good).Length()]); len(bad) > 0 {
			for _, b := range bad {
				_ = v.damaged(b, ErrOtherContent)
			}
			damaged += int64(len(bad))
			b = good.End
			continue
		}
		if good.Count() > 0 && visit != nil {
			if err := visit(b, buf[:g.Bytes(good).Length()]); err != nil {
				return damaged, err
			}
		}
		b = good.End
		var bad *DamagedError
		switch {
		case errors.As(err, &bad):
			damaged++
			b = max(b, bad.Block) + 1
		case err != nil && !errors.Is(err, ErrUnknownBlock):
			return damaged, err
		}
	}
	return damaged, nil
}

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
	if s.pinned(v.key) || s.discarded(v) {
		return nil
	}
	if err := v.Checkpoint(); err != nil {
		return err
	}
	needed, err := s.neededOf(v.key)
	if err != nil {
		return err
	}
	keep := extentsOf(needed)
	v.mu.Lock()
	_, own := v.table.bytes()
	var free []format.BlockRange
	for b := int64(0); b < v.table.blocks; {
		first := v.table.own.next(false, b, v.table.blocks)
		b = v.table.own.next(true, first, v.table.blocks)
		if first < b {
			free = v.withoutBytes(format.BlockRange{Start: format.BlockID(first), End: format.BlockID(b)}, keep, free)
		}
	}
	v.mu.Unlock()
	parts, err := v.enter()
	if err != nil {
		return err
	}
	info, err := parts.data.Stat()
	v.leave()
	if err != nil || diskBytes(info) <= own {
		return err
	}
	return v.release(free, keep)
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
	s.mu.Lock()
	busy := len(s.orphans) > 0
	s.mu.Unlock()
	if busy {
		return nil // their folders are among them
	}
	names, err := os.ReadDir(s.versionsDir())
	var errs []error
	for _, e := range names {
		if strings.HasPrefix(e.Name(), condemnedID) {
			errs = append(errs, os.RemoveAll(filepath.Join(s.versionsDir(), e.Name())))
		}
	}
	return errors.Join(append(errs, err)...)
}
