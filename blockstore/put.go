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
func (v *Version) Put(first format.BlockID, data []byte) error { return v.put(first, data, false) }

// Replace is Put of blocks that are known better than those here, as they come from the
// target's server: when a block is here that agrees with the same record and has other
// bytes, it is forgotten.
func (v *Version) Replace(first format.BlockID, data []byte) error { return v.put(first, data, true) }

func (v *Version) put(first format.BlockID, data []byte, replace bool) error {
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
	if !sure {
		v.doubt(blocks)
	}
	// Nothing is known better than what was verified as a whole.
	replace = replace && (sure || v.State() != Verified)
	for range putRounds {
		v.checkHere(blocks, data, sure, replace)
		missing, wrote, err := v.putOnce(blocks, data, sure)
		if err != nil || !replace || wrote == missing {
			return err
		}
		// Somebody else was faster with some of them, which are held against data now.
	}
	return nil
}

// putRounds is how often a Replace looks at what came meanwhile.
const putRounds = 3

// putOnce writes those of blocks that are not here. It returns how many were missing at
// first, and how many of them were still when they were written.
func (v *Version) putOnce(blocks format.BlockRange, data []byte, sure bool) (missing, wrote int64, err error) {
	v.mu.Lock()
	missing = v.table.missing(blocks)
	v.mu.Unlock()
	if missing == 0 {
		return 0, 0, nil // needs no room
	}
	base := v.geometry().Offset(blocks.Start)
	need := roomFor(data, base)
	room, err := v.store.reserve(need)
	if err != nil {
		v.store.troubleFor(err, need)
		return missing, 0, err
	}
	// What is not written by then needs no room.
	defer func() { v.store.unreserve(room) }()
	for rest := blocks; rest.Count() > 0; {
		how := putting{room: room, sure: sure}
		next, err := v.fill(rest, data[v.geometry().Offset(rest.Start)-base:], &how)
		room -= how.used
		wrote += how.wrote
		if err == errVerified {
			if err = v.unverify(); err == nil {
				continue
			}
		}
		if err != nil {
			return missing, wrote, err
		}
		rest.Start = next
	}
	return missing, wrote, nil
}

// checkHere checks those of blocks that are here and have not been checked, so that only
// what is damaged is written again. sure says that data are the bytes that were verified,
// and replace that they count more than what is here: then what is not as they are is
// forgotten. What cannot be read is forgotten, too.
func (v *Version) checkHere(blocks format.BlockRange, data []byte, sure, replace bool) {
	g := v.geometry()
	base := g.Offset(blocks.Start)
	for b := blocks.Start; b < blocks.End; {
		v.mu.Lock()
		run := v.table.run(b, blocks.End)
		v.mu.Unlock()
		if run.at == nowhere || run.checked && !replace {
			b = run.end
			continue
		}
		part := format.BlockRange{Start: b, End: min(run.end, b+format.BlockID(max(checkBytes/g.BlockSize, 1)))}
		at := g.Bytes(part)
		buf := borrow(at.Length())
		n, err := v.ReadAt(*buf, at.Start)
		if sure || replace {
			v.dropOthers(b, (*buf)[:n], data[at.Start-base:], sure)
		}
		giveBack(buf)
		if b = part.End; err != nil { // the block of byte n is forgotten
			b = min(g.Block(at.Start+int64(n))+1, part.End)
		}
	}
}

// dropOthers forgets the blocks from first on, whose bytes are have, that are not what
// want begins with; damaged says that they must have been.
func (v *Version) dropOthers(first format.BlockID, have, want []byte, damaged bool) {
	for b := first; int64(len(have)) >= v.geometry().BlockLength(b) && len(have) > 0; b++ {
		n := v.geometry().BlockLength(b)
		if !bytes.Equal(have[:n], want[:n]) {
			if damaged {
				_ = v.damaged(b, ErrOtherContent)
			} else {
				v.giveUp(v.geometry().Bytes(format.BlockRange{Start: b, End: b + 1}))
			}
		}
		have, want = have[n:], want[n:]
	}
}

// doubt has a version that was verified be Provisional when others of blocks may come than
// those that were verified.
func (v *Version) doubt(blocks format.BlockRange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.state == Verified && v.table.missing(blocks) > 0 {
		v.setState(Provisional)
	}
}

// errVerified: the disk says that the version is Verified, and so its own file must not get
// other bytes: after a crash they would be taken for those that were verified.
var errVerified = errors.New("blockstore: the version is verified on the disk")

// unverify has the disk say that the version is Provisional, before its own file gets other
// blocks than those that were verified. Errors: the disk's; ErrClosed.
func (v *Version) unverify() error {
	v.mu.Lock()
	v.stateLost = true
	if v.state == Verified {
		v.setState(Provisional)
	}
	v.mu.Unlock()
	return v.Checkpoint()
}

// putting is what a Put knows of a write.
type putting struct {
	epoch int64 // from before it
	room  int64 // that was set aside
	sure  bool  // the bytes are those that were verified
	used  int64 // of room, after it
	wrote int64 // blocks that were not here
}

// fill writes the first of blocks r that are not here, as far as they follow each other,
// and says so; data are the bytes of r and what follows. It returns the block to go on
// with. Errors: errVerified, when nothing was written; those of Put.
func (v *Version) fill(r format.BlockRange, data []byte, how *putting) (next format.BlockID, err error) {
	parts, err := v.enter()
	if err != nil {
		return r.Start, err
	}
	defer v.leave()
	if !parts.control.covers(v.header.RecordRange(r)) {
		return r.Start, ErrUnknownRecords
	}
	v.writing.Lock()
	defer v.writing.Unlock()
	v.mu.Lock()
	run := v.table.run(r.Start, r.End)
	how.epoch = v.epoch
	verified := v.diskState == Verified
	v.mu.Unlock()
	if run.at != nowhere {
		return run.end, nil
	}
	if verified && !how.sure {
		return r.Start, errVerified
	}
	r.End = run.end
	at := v.geometry().Bytes(r)
	data = data[:at.Length()]
	// Who refers to these bytes must not see them change.
	defer v.store.claimChanging(parts.data, data, at.Start, nil)()
	failpoint("write.reserved")
	if err := writeData(parts.data.File, data, at.Start); err != nil {
		v.setStrays(true)
		err = writeError("write blocks", err)
		v.store.trouble(err)
		return r.End, err
	}
	failpoint("write.written")
	how.used = min(roomFor(data, at.Start), how.room)
	return r.End, v.wrote(r, how)
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
func (v *Version) wrote(r format.BlockRange, how *putting) error {
	v.mu.Lock()
	v.written += how.used
	if v.epoch != how.epoch {
		v.mu.Unlock()
		// The failed fdatasync may have dropped these very bytes.
		return errEpoch
	}
	for b := r.Start; b < r.End; {
		run := v.table.run(b, r.End)
		part := format.BlockRange{Start: b, End: run.end}
		if b = run.end; run.at != nowhere { // it was shared meanwhile, and stays as it is
			v.strays = true
			continue
		}
		how.wrote += part.Count()
		v.table.put(part, true)
		v.touch(part)
		v.warm(v.geometry().Bytes(part))
	}
	n := v.geometry().Bytes(r).Length()
	v.unsynced += n
	if v.state == Verified && !how.sure {
		v.setState(Provisional)
	}
	v.mu.Unlock()
	v.store.wrote(n)
	return nil
}
