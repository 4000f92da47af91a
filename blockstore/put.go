package blockstore

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/format"
)

// Put stores verified blocks: data starts at block first and holds whole
// blocks (the target's last may be short), whose records are here. They can be
// read when it returns and are durable after the next checkpoint. Blocks that
// are here stay as they are, also for others who refer to them; those that have not been
// checked yet are, as by ReadAt. Zeros take no room.
//
// Errors: ErrOtherContent (wrapped) when the version was verified with other bytes;
// ErrFull (wrapped) when the disk or Options.Limit has no room, or the
// disk's error: nothing changed for readers; ErrUnknownRecords; ErrInvalid;
// ErrClosed. Safe for concurrent use.
func (v *Version) Put(first format.BlockID, data []byte) error {
	if v.nowhere {
		return ErrFull
	}
	blocks, err := v.wholeBlocks(first, data)
	if err != nil || blocks.Count() == 0 {
		return err
	}
	// What was verified as a whole stays so when the same bytes come again.
	bad, sure := v.differing(blocks, data)
	if len(bad) > 0 {
		return fmt.Errorf("%w: block %d", ErrOtherContent, bad[0])
	}
	base := v.geometry().Offset(first)
	v.checkHere(blocks, data, sure)
	need := roomFor(data, base)
	room, err := v.store.reserve(need)
	if err != nil {
		v.store.troubleFor(err, need)
		return err
	}
	// What is not written by then needs no room.
	defer func() { v.store.unreserve(room) }()
	parts, err := v.enter()
	if err != nil {
		return err
	}
	defer v.leave()
	if !parts.control.covers(v.header.RecordRange(blocks)) {
		return ErrUnknownRecords
	}
	for b := blocks.Start; b < blocks.End; {
		v.mu.Lock()
		run, epoch := v.table.run(b, blocks.End), v.epoch
		v.mu.Unlock()
		part := format.BlockRange{Start: b, End: run.end}
		if b = run.end; run.at != nowhere {
			continue
		}
		r := v.geometry().Bytes(part)
		used, err := v.fill(parts, part, data[r.Start-base:r.End-base], putting{epoch, room, sure})
		room -= used
		if err != nil {
			return err
		}
	}
	return nil
}

// checkHere checks those of blocks that are here and have not been checked, so that only
// what is damaged is written again; sure says that data are the bytes that were verified.
// What cannot be read is forgotten.
func (v *Version) checkHere(blocks format.BlockRange, data []byte, sure bool) {
	g := v.geometry()
	base := g.Offset(blocks.Start)
	for b := blocks.Start; b < blocks.End; {
		v.mu.Lock()
		run := v.table.run(b, blocks.End)
		v.mu.Unlock()
		if run.at == nowhere || run.checked {
			b = run.end
			continue
		}
		part := format.BlockRange{Start: b, End: min(run.end, b+format.BlockID(max(checkBytes/g.BlockSize, 1)))}
		at := g.Bytes(part)
		buf := borrow(at.Length())
		n, err := v.ReadAt(*buf, at.Start)
		if err != nil { // the block of byte n is forgotten
			part.End = min(g.Block(at.Start+int64(n))+1, part.End)
		} else if want := data[at.Start-base : at.End-base]; sure && !bytes.Equal(*buf, want) {
			for id := part.Start; id < part.End; id++ {
				if r := g.Bytes(format.BlockRange{Start: id, End: id + 1}); !bytes.Equal((*buf)[r.Start-at.Start:r.End-at.Start], want[r.Start-at.Start:r.End-at.Start]) {
					_ = v.damaged(id, ErrOtherContent)
				}
			}
		}
		giveBack(buf)
		b = part.End
	}
}

// putting is what a Put knows of a write.
type putting struct {
	epoch int64 // from before it
	room  int64 // that was set aside
	sure  bool  // the bytes are those that were verified
}

// fill writes blocks r, which are not here, and says so. It returns
// how much of the room that was set aside they take.
func (v *Version) fill(parts *parts, r format.BlockRange, data []byte, how putting) (int64, error) {
	at := v.geometry().Bytes(r)
	v.punching.RLock()
	defer v.punching.RUnlock()
	// Who refers to these bytes must not see them change.
	defer v.store.claim(parts.data, at, nil)()
	failpoint("write.reserved")
	if err := writeData(parts.data.File, data, at.Start); err != nil {
		err = writeError("write blocks", err)
		v.store.trouble(err)
		return 0, err
	}
	failpoint("write.written")
	how.room = min(roomFor(data, at.Start), how.room)
	return how.room, v.wrote(r, how)
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

var errEpoch = errors.New("blockstore: write blocks: the disk lost what was written lately")

// wrote says that blocks r were written, into room that was reserved.
func (v *Version) wrote(r format.BlockRange, how putting) error {
	v.mu.Lock()
	v.written += how.room
	if v.epoch != how.epoch {
		v.mu.Unlock()
		// The failed fdatasync may have dropped these very bytes.
		return errEpoch
	}
	if len(v.table.sharedIn(r)) > 0 {
		v.newShared = true
		v.moves.Add(1) // what they were in is not looked after for this version any more
	}
	v.table.put(r, true)
	v.touch(r)
	v.warm(v.geometry().Bytes(r))
	n := v.geometry().Bytes(r).Length()
	v.unsynced += n
	if v.state == Verified && !how.sure {
		v.setState(Provisional)
	}
	v.mu.Unlock()
	v.store.wrote(n)
	return nil
}
