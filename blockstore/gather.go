package blockstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

const (
	// moveBatch is how many bytes are moved before all who refer to them are made
	// durable: so much room is taken twice for a while.
	moveBatch = 128 << 20
	// leastBatch bounds what a small limit makes of it.
	leastBatch = 1 << 20
	// moveStep is how much is copied at once, in bytes.
	moveStep = 1 << 20
)

// errPinned: the file must stay as it is for now.
var errPinned = fmt.Errorf("%w: its data file is being read by others", ErrInUse)

// Gather brings all blocks of the version that lie in other versions' files into
// its own, so that this is whole, and has the others refer to them there: no block
// takes room twice. Blocks that prove damaged on the way are forgotten. What was
// moved stays so whatever the error.
//
// Errors: ErrFull (wrapped); ErrInUse (wrapped) while the kernel or others read the
// file that has the blocks; of the disk; ErrClosed; ctx's. Safe for concurrent use;
// readers go on meanwhile.
func (v *Version) Gather(ctx context.Context) error {
	if v.nowhere {
		return nil
	}
	s := v.store
	select { // two that have the same blocks would take them from each other for ever
	case s.gathers <- struct{}{}:
		defer func() { <-s.gathers }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return v.gatherAll(ctx, gathering{})
}

// gatherAll is Gather, done so.
func (v *Version) gatherAll(ctx context.Context, how gathering) error {
	tried := false
	for ctx.Err() == nil {
		more, err := v.gatherSome(how)
		if how.copying && errors.Is(err, ErrLimit) && (more || !tried) {
			tried = true
			_, err = v.store.MakeRoom(v.store.batchSize())
			more = true
		} else if err == nil {
			tried = false
		}
		if err != nil || !more {
			return err
		}
	}
	return context.Cause(ctx)
}

func (v *Version) gatherSome(how gathering) (more bool, err error) {
	v.store.moving.Lock()
	defer v.store.moving.Unlock()
	return v.gather(how)
}

// Shares says how many blocks of the version lie in other versions' files.
func (v *Version) Shares() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.table.count - v.table.ownCount()
}

func (t *table) ownCount() int64 {
	if len(t.shared) == 0 {
		return t.count
	}
	return t.own.count()
}

// moved is bytes that were copied from one data file to another.
type moved struct {
	from   format.Range
	to     int64 // where from.Start lies now
	blocks format.BlockRange
}

// at are the bytes where they are now.
func (m moved) at() format.Range { return format.Range{Start: m.to, End: m.to + m.from.Length()} }

// gathering says how a version is gathered.
type gathering struct {
	only    *Key // from this version's file only
	copying bool // what must stay where it is, is copied, within the limits
	beyond  bool // such copies may pass the limits
}

// transfer is one batch of a gathering. Both files are watched from before the first byte
// is read until nobody is to refer to the bytes in another place any more: what changes
// meanwhile is left as it is.
type transfer struct {
	segment  *segment // that has the blocks
	from, to *watch   // of its file and of the heir's own
	epoch    int64    // of the heir, from before
	twice    bool     // the bytes stay in from as well
	beyond   bool     // see gathering
}

// still are those of done that are in both places what they were when they were copied.
// It holds for who refers to them with the lock on his table held all along.
func (x *transfer) still(done []moved) (out []moved) {
	for _, m := range done {
		if !x.from.has(m.from) && !x.to.has(m.at()) {
			out = append(out, m)
		}
	}
	return out
}

// gather moves one batch of blocks into v's own file, as how says. more says that some were
// moved, or went, and that there may be others. It needs Store.moving.
func (v *Version) gather(how gathering) (more bool, err error) {
	s := v.store
	if s.discarded(v) {
		return false, nil // others cannot find its file
	}
	own, err := v.dataFile()
	if err != nil {
		return false, err
	}
	v.mu.Lock()
	other := v.diskState == Verified && v.state != Verified
	v.mu.Unlock()
	if other { // what is shared may not be what was verified
		if err := v.unverify(); err != nil {
			return false, err
		}
	}
	batch, x := v.nextBatch(how.only, s.batchSize())
	if len(batch) == 0 {
		return false, nil
	}
	// A disk without holes gives back the room of whole files only, as handOver's.
	x.twice = s.noHoles.Load() && how.only == nil
	if x.twice && !how.copying {
		return false, nil
	}
	pinned := s.pinned(x.segment.key)
	if pinned && !how.copying {
		return false, errPinned
	}
	x.twice, x.beyond = x.twice || pinned, how.beyond
	x.from, x.to = s.watch(x.segment.f), s.watch(own)
	defer x.from.end()
	defer x.to.end()
	done, err := v.copyIn(batch, x)
	if len(done) == 0 {
		return err == nil, err
	}
	failpoint("gather.copied")
	if err := v.Checkpoint(); err != nil {
		return false, err
	}
	failpoint("gather.synced")
	if x.twice {
		s.noLonger(v, x.segment.key)
		return true, err
	}
	done, lost := v.stillOwn(done, x.epoch)
	if err = errors.Join(err, lost); len(done) == 0 {
		return err == nil, err
	}
	return err == nil, errors.Join(err, s.refer(x, v, done))
}

// stillOwn are those of done that the own file has still: only to these may others
// refer. It fails when the disk lost some since epoch.
func (v *Version) stillOwn(done []moved, epoch int64) (out []moved, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.epoch != epoch {
		return nil, errEpoch
	}
	for _, m := range done {
		if v.table.own.next(false, int64(m.blocks.Start), int64(m.blocks.End)) == int64(m.blocks.End) {
			out = append(out, m)
		}
	}
	return out, nil
}

// batchSize is how many bytes are moved at once.
func (s *Store) batchSize() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limits.Size == 0 {
		return moveBatch
	}
	return max(min(moveBatch, s.limits.Size/100), leastBatch)
}

// nextBatch are shared runs, of about size bytes, that lie in one segment, and the
// transfer of them.
func (v *Version) nextBatch(only *Key, size int64) (out []shared, x *transfer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var g *segment
	for _, r := range v.table.shared {
		if only != nil && r.segment.key != *only || g != nil && r.segment != g {
			continue
		}
		g = r.segment
		if n := max(size/v.header.BlockSize, 1); r.blocks.Count() > n {
			r.blocks.End = r.blocks.Start + format.BlockID(n)
		}
		out = append(out, r)
		if size -= v.geometry().Bytes(r.blocks).Length(); size <= 0 {
			break
		}
	}
	return out, &transfer{segment: g, epoch: v.epoch}
}

// copyIn copies runs into the own file, and says so in the table. It returns what
// was copied.
func (v *Version) copyIn(runs []shared, x *transfer) (done []moved, err error) {
	step := format.BlockID(max(moveStep/v.header.BlockSize, 1))
	buf := make([]byte, int64(step)*v.header.BlockSize)
	for _, r := range runs {
		for b := r.blocks.Start; b < r.blocks.End; {
			part := format.BlockRange{Start: b, End: min(b+step, r.blocks.End)}
			at := v.geometry().Bytes(part)
			moves := v.moves.Load()
			n, err := v.ReadAt(buf[:at.Length()], at.Start)
			if err != nil && part.Count() > 1 && isLost(err) {
				// What is right before the fault is taken along.
				part.End = max(v.geometry().Block(at.Start+int64(n)), b+1)
				step = 1
			}
			if err == nil {
				off := r.off + v.geometry().Offset(b) - v.geometry().Offset(r.blocks.Start)
				m := moved{from: format.Range{Start: off, End: off + at.Length()}, to: at.Start, blocks: part}
				taken, err := v.takeOver(m, x, buf[:at.Length()], moves)
				if err != nil {
					return done, err
				}
				if taken {
					done = append(done, m)
				}
				step = format.BlockID(max(moveStep/v.header.BlockSize, 1))
			} else if !isLost(err) {
				return done, err
			} else if part.Count() > 1 {
				continue
			}
			b = part.End
		}
	}
	return done, nil
}

// isLost says whether err is that of a block that is not here.
func isLost(err error) bool {
	var damaged *DamagedError
	return errors.Is(err, ErrUnknownBlock) || errors.As(err, &damaged)
}

// takeOver writes the bytes of m, which were read and so checked after there were moves
// moves, into the own file. taken says that they are those of m, and in the own file now.
func (v *Version) takeOver(m moved, x *transfer, data []byte, moves int64) (taken bool, err error) {
	parts, err := v.enter()
	if err != nil {
		return false, err
	}
	defer v.leave()
	s := v.store
	room := roomFor(data, m.to)
	if x.twice && !x.beyond {
		if _, _, err := s.tryReserve(room); err != nil {
			return false, err // to wait would be for an eviction, which needs moving
		}
	} else {
		s.mu.Lock()
		s.pending += room // more than the limit for a moment: as much is given back
		s.mu.Unlock()
	}
	// Nothing is put meanwhile: what is put is newer.
	v.writing.Lock()
	defer v.writing.Unlock()
	// What was put, forgotten or moved since it was looked up was maybe not read from
	// there, and would be another's block under the name of this one.
	if parts.data != x.to.file || x.from.has(m.from) || !v.liesIn(m, x.segment, moves) {
		s.unreserve(room)
		return false, nil
	}
	defer s.claimChanging(parts.data, data, m.to, x.to)()
	if err := writeData(parts.data.File, data, m.to); err != nil {
		s.unreserve(room)
		v.setStrays(true)
		return false, writeError("move blocks", err)
	}
	failpoint("gather.written")
	v.mu.Lock()
	defer v.mu.Unlock()
	v.written += room
	if v.epoch != x.epoch {
		return false, errEpoch
	}
	v.unsynced += int64(len(data))
	s.dirtyBytes.Add(int64(len(data)))
	if v.moves.Load() != moves { // blocks were forgotten, and are maybe shared anew
		v.strays = true
		return false, nil
	}
	v.table.put(m.blocks, true)
	v.touch(m.blocks)
	v.newShared = true
	v.moves.Add(1)
	return true, nil
}

// liesIn says whether the blocks of m lie where m says in segment g, and have since there
// were moves moves.
func (v *Version) liesIn(m moved, g *segment, moves int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := m.from.Start
	for b := m.blocks.Start; b < m.blocks.End; {
		r := v.table.run(b, m.blocks.End)
		if r.at != otherSegment || r.segment != g || r.off != at {
			return false
		}
		at += v.geometry().Offset(r.end) - v.geometry().Offset(b)
		b = r.end
	}
	return v.moves.Load() == moves
}

// IsNewest says whether none of the versions in whose files the version has blocks
// is of a later date, by what the control files say.
func (v *Version) IsNewest() bool {
	return v.header.MTime.IsZero() || !v.anyOwner(func(date time.Time) bool { return date.After(v.header.MTime) })
}

// IsNewer says whether the version is of a later date than all in whose files it has
// blocks. So of two, one is at most.
func (v *Version) IsNewer() bool {
	return !v.anyOwner(func(date time.Time) bool { return !v.header.MTime.After(date) })
}

// anyOwner says whether is holds for the date of a version in whose file v has blocks.
func (v *Version) anyOwner(is func(date time.Time) bool) bool {
	v.mu.Lock()
	keys := owners(v.table.shared)
	v.mu.Unlock()
	for _, key := range keys {
		found := false
		_ = v.store.withVersion(key, func(w *Version) error {
			found = is(w.header.MTime)
			return nil
		})
		if found {
			return true
		}
	}
	return false
}
