package blockstore

import (
	"fmt"

	"github.com/zsyncfs/zsyncfs/format"
)

// Put stores verified blocks: data starts at block first and holds whole
// blocks (the target's last may be short), whose records are here. They can be
// read when it returns and are durable after the next checkpoint. Blocks that
// are here and have been checked stay as they are.
//
// Errors: ErrFull (wrapped) when the disk has no room, or the disk's error:
// nothing changed for readers; ErrUnknownRecords; ErrInvalid; ErrClosed. Safe
// for concurrent use.
func (v *Version) Put(first format.BlockID, data []byte) error {
	if v.nowhere {
		return ErrFull
	}
	blocks, err := v.wholeBlocks(first, data)
	if err != nil || blocks.Count() == 0 {
		return err
	}
	parts, err := v.enter()
	if err != nil {
		return err
	}
	defer v.leave()
	if !parts.control.covers(v.header.RecordRange(blocks)) {
		return ErrUnknownRecords
	}
	g := v.geometry()
	base := g.Offset(first)
	for b := blocks.Start; b < blocks.End; {
		v.mu.Lock()
		run, epoch := v.table.run(b, blocks.End), v.epoch
		if run.at == nowhere {
			// What is not here and what is not checked is written together.
			run.end = format.BlockID(v.table.checked.next(true, int64(b), int64(blocks.End)))
		}
		v.mu.Unlock()
		if !run.checked {
			r := g.Bytes(format.BlockRange{Start: b, End: run.end})
			if _, err := parts.data.WriteAt(data[r.Start-base:r.End-base], r.Start); err != nil {
				return writeError("write blocks", err)
			}
			if err := v.wrote(format.BlockRange{Start: b, End: run.end}, epoch); err != nil {
				return err
			}
		}
		b = run.end
	}
	return nil
}

// wholeBlocks are the blocks that data holds. Errors: ErrInvalid.
func (v *Version) wholeBlocks(first format.BlockID, data []byte) (format.BlockRange, error) {
	g := v.geometry()
	n := int64(len(data))
	if first < 0 || int64(first) > g.BlockCount() || n > g.Length-min(g.Offset(first), g.Length) {
		return format.BlockRange{}, fmt.Errorf("%w: %d bytes at block %d are not in the target", ErrInvalid, n, first)
	}
	if n%g.BlockSize != 0 && g.Offset(first)+n != g.Length {
		return format.BlockRange{}, fmt.Errorf("%w: %d bytes at block %d are not whole blocks", ErrInvalid, n, first)
	}
	return format.BlockRange{Start: first, End: first + format.BlockID((n+g.BlockSize-1)/g.BlockSize)}, nil
}

// wrote says that blocks r were written. epoch is from before that.
func (v *Version) wrote(r format.BlockRange, epoch int64) error {
	v.mu.Lock()
	if v.epoch != epoch {
		v.mu.Unlock()
		// The failed fdatasync may have dropped these very bytes.
		return fmt.Errorf("blockstore: write blocks: the disk lost what was written lately")
	}
	v.table.put(r, true)
	v.touch(r)
	n := v.geometry().Bytes(r).Length()
	v.unsynced += n
	if v.state == Verified {
		v.setState(Provisional)
	}
	v.mu.Unlock()
	v.store.wrote(n)
	return nil
}
