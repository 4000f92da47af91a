package blockstore

import (
	"context"
	"errors"
	"fmt"

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
var errPinned = errors.New("blockstore: the data file is being read by others")

// Gather brings all blocks of the version that lie in other versions' files into
// its own, so that this is whole, and has the others refer to them there: no block
// takes room twice. Blocks that prove damaged on the way are forgotten. What was
// moved stays so whatever the error.
//
// Errors: ErrFull (wrapped); of the disk; ErrClosed; ctx's. Safe for concurrent
// use; readers go on meanwhile.
func (v *Version) Gather(ctx context.Context) error {
	if v.nowhere {
		return nil
	}
	for ctx.Err() == nil {
		more, err := v.gatherSome()
		if err != nil || !more {
			return err
		}
	}
	return context.Cause(ctx)
}

func (v *Version) gatherSome() (more bool, err error) {
	v.store.moving.Lock()
	defer v.store.moving.Unlock()
	return v.gather(nil)
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

// gather moves one batch of blocks from the file of the version only (nil: any
// other) into v's. more says that there may be others. It needs Store.moving.
func (v *Version) gather(only *Key) (more bool, err error) {
	s := v.store
	if s.discarded(v) {
		return false, nil // others cannot find its file
	}
	batch, g, epoch := v.nextBatch(only, s.batchSize())
	if len(batch) == 0 {
		return false, nil
	}
	if s.pinned(g.key) {
		return false, errPinned
	}
	done, err := v.copyIn(batch, epoch)
	if len(done) == 0 {
		return err == nil, err
	}
	if err := v.Checkpoint(); err != nil {
		return false, err
	}
	done, lost := v.stillOwn(done, epoch)
	if err = errors.Join(err, lost); len(done) == 0 {
		return err == nil, err
	}
	return err == nil, errors.Join(err, s.refer(g.key, v, done))
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
// epoch.
func (v *Version) nextBatch(only *Key, size int64) (out []shared, g *segment, epoch int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
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
	return out, g, v.epoch
}

// copyIn copies runs into the own file, and says so in the table. It returns what
// was copied.
func (v *Version) copyIn(runs []shared, epoch int64) (done []moved, err error) {
	step := format.BlockID(max(moveStep/v.header.BlockSize, 1))
	buf := make([]byte, int64(step)*v.header.BlockSize)
	for _, r := range runs {
		for b := r.blocks.Start; b < r.blocks.End; {
			part := format.BlockRange{Start: b, End: min(b+step, r.blocks.End)}
			at := v.geometry().Bytes(part)
			n, err := v.ReadAt(buf[:at.Length()], at.Start)
			if err != nil && part.Count() > 1 && isLost(err) {
				// What is right before the fault is taken along.
				part.End = max(v.geometry().Block(at.Start+int64(n)), b+1)
				step = 1
			}
			if err == nil {
				off := r.off + v.geometry().Offset(b) - v.geometry().Offset(r.blocks.Start)
				m := moved{from: format.Range{Start: off, End: off + at.Length()}, to: at.Start, blocks: part}
				taken, err := v.takeOver(m, r.segment, buf[:at.Length()], epoch)
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

// takeOver writes the bytes of m, which were read and so checked, into the own file.
// taken says that they are those of m in segment g, and in the own file now.
func (v *Version) takeOver(m moved, g *segment, data []byte, epoch int64) (taken bool, err error) {
	parts, err := v.enter()
	if err != nil {
		return false, err
	}
	defer v.leave()
	// What was put or forgotten while it was read was maybe not read from there, and
	// would be another's block under the name of this one.
	if !v.liesIn(m, g) {
		return false, nil
	}
	s := v.store
	room := roomFor(data, m.to)
	s.mu.Lock()
	s.pending += room // more than the limit for a moment: as much is given back
	s.mu.Unlock()
	at := v.geometry().Bytes(m.blocks)
	defer s.claim(v.key, at)()
	if err := writeData(parts.data, data, m.to); err != nil {
		s.unreserve(room)
		return false, writeError("move blocks", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.written += room
	if v.epoch != epoch {
		return false, errEpoch
	}
	for _, r := range v.table.sharedIn(m.blocks) { // as far as they are there still
		v.table.put(r.blocks, true)
		v.touch(r.blocks)
	}
	v.newShared = true
	v.moves.Add(1)
	v.unsynced += int64(len(data))
	s.dirtyBytes.Add(int64(len(data)))
	return true, nil
}

// liesIn says whether the blocks of m lie where m says in segment g.
func (v *Version) liesIn(m moved, g *segment) bool {
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
	return true
}

// refer has all versions that have blocks among the bytes done, which were moved
// from the file of owner to that of heir, refer to them there, the owner among
// them, and gives back the room of what nobody needs any more. It needs moving.
func (s *Store) refer(owner Key, heir *Version, done []moved) error {
	var needed []format.Range
	for _, key := range s.sharersOf(owner) {
		if key == heir.key || key == owner {
			continue
		}
		err := s.withVersion(key, func(w *Version) error {
			if err := w.relink(owner, heir.key, done); err != nil {
				return err
			}
			rest := w.bytesIn(owner)
			if needed = append(needed, rest...); len(rest) == 0 {
				s.dropSharer(owner, key)
			}
			return w.Checkpoint()
		})
		if errors.Is(err, ErrNotFound) {
			s.dropSharer(owner, key)
		} else if err != nil {
			return err
		}
	}
	if rest := heir.bytesIn(owner); len(rest) == 0 {
		s.dropSharer(owner, heir.key)
	} else {
		needed = append(needed, rest...)
	}
	err := s.withVersion(owner, func(u *Version) error { return u.giveAway(heir.key, done, needed) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// withVersion calls f with the version of key, opened for it. Errors: ErrNotFound;
// those of f.
func (s *Store) withVersion(key Key, f func(*Version) error) error {
	w, err := s.Reopen(key)
	if err != nil {
		return err
	}
	return errors.Join(f(w), w.Close())
}

// bytesIn are the bytes that the version needs of the file of owner.
func (v *Version) bytesIn(owner Key) (out []format.Range) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.table.shared {
		if r.segment.key == owner {
			out = append(out, format.Range{Start: r.off, End: r.off + v.geometry().Bytes(r.blocks).Length()})
		}
	}
	return out
}

// relink has the blocks whose bytes are among those that were moved from the file
// of owner to that of heir refer to them there.
func (v *Version) relink(owner, heir Key, done []moved) error {
	g, err := v.useSegment(heir)
	if err != nil || g == nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var fresh []shared
	for _, r := range v.table.shared {
		if r.segment.key != owner {
			continue
		}
		length := v.geometry().Bytes(r.blocks).Length()
		for _, m := range done {
			part := format.Range{Start: max(r.off, m.from.Start), End: min(r.off+length, m.from.End)}
			blocks := v.within(r, part)
			if blocks.Count() == 0 {
				continue
			}
			off := r.off + v.geometry().Offset(blocks.Start) - v.geometry().Offset(r.blocks.Start)
			fresh = append(fresh, shared{blocks: blocks, segment: g, off: m.to + off - m.from.Start})
		}
	}
	v.replaceShared(fresh)
	return nil
}

// within are the blocks of the shared run r that lie wholly in bytes part of its
// segment.
func (v *Version) within(r shared, part format.Range) format.BlockRange {
	g := v.geometry()
	if part.Length() == 0 {
		return format.BlockRange{}
	}
	start := g.Offset(r.blocks.Start) + part.Start - r.off
	end := g.Offset(r.blocks.Start) + part.End - r.off
	return inside(g, format.Range{Start: start, End: end})
}

// inside are the blocks that lie wholly in r.
func inside(g format.Geometry, r format.Range) format.BlockRange {
	out := format.BlockRange{Start: format.BlockID((r.Start + g.BlockSize - 1) / g.BlockSize), End: g.Block(r.End)}
	if r.End >= g.Length {
		out.End = format.BlockID(g.BlockCount())
	}
	return format.BlockRange{Start: out.Start, End: max(out.Start, out.End)}
}

// replaceShared says that blocks which are shared lie elsewhere, with the same
// bytes. It needs mu.
func (v *Version) replaceShared(fresh []shared) {
	if len(fresh) == 0 {
		return
	}
	sortShared(fresh)
	for _, f := range fresh {
		v.table.cutShared(f.blocks)
	}
	v.table.share(fresh, false)
	v.newShared = true
	v.moves.Add(1)
}

// giveAway has own blocks whose bytes were moved to the file of heir refer to them
// there, and gives back their room, but for bytes that are needed here still. What
// changed is durable before.
func (v *Version) giveAway(heir Key, done []moved, needed []format.Range) error {
	g, err := v.useSegment(heir)
	if err != nil || g == nil {
		return err
	}
	free := v.refuse(g, done, extentsOf(needed))
	if len(free) == 0 {
		return nil
	}
	if err := v.Checkpoint(); err != nil {
		return err
	}
	return v.release(free)
}

// refuse turns own blocks that were moved into shared ones, and returns which.
func (v *Version) refuse(g *segment, done []moved, keep extents) (free []format.BlockRange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var fresh []shared
	for _, m := range done {
		blocks := inside(v.geometry(), format.Range{Start: m.from.Start, End: min(m.from.End, v.geometry().Length)})
		for b := blocks.Start; b < blocks.End; {
			end := format.BlockID(v.table.own.next(false, int64(b), int64(blocks.End)))
			for ; b < end; b++ {
				at := v.geometry().Bytes(format.BlockRange{Start: b, End: b + 1})
				if len(keep.within(at)) > 0 {
					continue
				}
				fresh = append(fresh, shared{blocks: format.BlockRange{Start: b, End: b + 1}, segment: g, off: m.to + at.Start - m.from.Start})
			}
			b = format.BlockID(v.table.own.next(true, int64(max(b, end)), int64(blocks.End)))
		}
	}
	sortShared(fresh)
	fresh = mergeShared(fresh, nil, v.header.BlockSize)
	if len(v.table.shared)+len(fresh) > maxShared {
		return nil
	}
	for _, f := range fresh {
		v.table.lend(f)
		v.touch(f.blocks)
		free = append(free, f.blocks)
	}
	v.table.share(fresh, false)
	v.newShared = true
	v.moves.Add(1)
	return free
}

// release gives back the room of blocks which are not in the own file any more, as
// far as that is so; the map on the disk must not speak of them.
func (v *Version) release(free []format.BlockRange) error {
	for _, r := range free {
		if err := v.releaseRun(r); err != nil {
			return fmt.Errorf("blockstore: give back room: %w", err)
		}
	}
	return v.resettle()
}

func (v *Version) releaseRun(r format.BlockRange) error {
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
	if start < at.Start && v.anyOwn(format.Range{Start: start, End: at.Start}) {
		start += diskPage
	}
	if end > at.End && v.anyOwn(format.Range{Start: at.End, End: end}) {
		end -= diskPage
	}
	v.mu.Unlock()
	if taken || start >= end {
		return nil
	}
	// Another process may be making a copy of the file.
	if err := tryLock(parts.data); err != nil {
		return errPinned
	}
	defer unlock(parts.data)
	defer v.store.claim(v.key, format.Range{Start: start, End: end})()
	return punch(parts.data, start, end-start)
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

// handOver has every version that has blocks in the file of key get them into its
// own, as long as there is room: those for which there is none lose them. It needs
// moving.
func (s *Store) handOver(key Key) {
	for _, user := range s.sharersOf(key) {
		err := s.withVersion(user, func(w *Version) error {
			for {
				if more, err := w.gather(&key); err != nil || !more {
					return errors.Join(err, w.unlinkFrom(key))
				}
			}
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			s.options.Warn(fmt.Errorf("blockstore: version %v loses blocks that it shares: %w", user, err))
		}
		s.dropSharer(key, user)
	}
}

// unlinkFrom forgets what lies in the file of owner.
func (v *Version) unlinkFrom(owner Key) error {
	v.mu.Lock()
	for _, r := range v.table.sharedIn(v.geometry().All()) {
		if r.segment.key == owner {
			v.forget(r.blocks)
		}
	}
	v.mu.Unlock()
	return v.Checkpoint()
}

// IsNewest says whether none of the versions in whose files the version has blocks
// is of a later date, by what the control files say.
func (v *Version) IsNewest() bool {
	v.mu.Lock()
	keys := owners(v.table.shared)
	v.mu.Unlock()
	if v.header.MTime.IsZero() {
		return true
	}
	for _, key := range keys {
		later := false
		_ = v.store.withVersion(key, func(w *Version) error {
			later = w.header.MTime.After(v.header.MTime)
			return nil
		})
		if later {
			return false
		}
	}
	return true
}
