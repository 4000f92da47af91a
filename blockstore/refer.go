package blockstore

import (
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/format"
)

// refer has all versions that have blocks among the bytes done, which x moved to the file
// of heir, refer to them there, the owner of the other file among them, and gives back the
// room of what nobody needs any more. It needs moving.
func (s *Store) refer(x *transfer, heir *Version, done []moved) error {
	owner := x.segment.key
	var needed []format.Range
	for _, key := range s.sharersOf(owner) {
		if key == heir.key || key == owner {
			continue
		}
		err := s.withVersion(key, func(w *Version) error {
			if err := w.relink(x, heir.key, done); err != nil {
				return err
			}
			needed = append(needed, s.noLonger(w, owner)...)
			return w.Checkpoint()
		})
		if errors.Is(err, ErrNotFound) {
			s.dropSharer(owner, key)
		} else if err != nil {
			return err
		}
	}
	needed = append(needed, s.noLonger(heir, owner)...)
	failpoint("gather.others refer")
	err := s.withVersion(owner, func(u *Version) error { return u.giveAway(x, heir.key, done, needed) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// noLonger has v no more known for one that shares bytes of owner's file, unless it does
// still: it returns those bytes. It needs moving.
func (s *Store) noLonger(v *Version, owner Key) []format.Range {
	rest := v.bytesIn(owner)
	if len(rest) == 0 {
		s.dropSharer(owner, v.key)
	}
	return rest
}

// neededOf are the bytes that others need of the file of key. It needs moving.
func (s *Store) neededOf(key Key) (out []format.Range, err error) {
	for _, user := range s.sharersOf(key) {
		err := s.withVersion(user, func(w *Version) error {
			out = append(out, w.bytesIn(key)...)
			return nil
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
	}
	return out, nil
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

// relink has the blocks whose bytes are among those that x moved to the file of heir
// refer to them there.
func (v *Version) relink(x *transfer, heir Key, done []moved) error {
	g, err := v.useSegment(heir)
	if err != nil || g == nil || g.f != x.to.file {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	done = x.still(done)
	var fresh []shared
	for _, r := range v.table.shared {
		if r.segment.f != x.from.file {
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

// giveAway has own blocks whose bytes x moved from the version's file, if it is that, to
// the file of heir refer to them there, and gives back their room, but for bytes that are
// needed here still. What changed is durable before.
func (v *Version) giveAway(x *transfer, heir Key, done []moved, needed []format.Range) error {
	if own, err := v.dataFile(); err != nil || own != x.from.file {
		return err
	}
	g, err := v.useSegment(heir)
	if err != nil || g == nil || g.f != x.to.file {
		return err
	}
	keep := extentsOf(needed)
	free := v.refuse(x, g, done, keep)
	if len(free) == 0 {
		return nil
	}
	failpoint("gather.given away")
	if err := v.Checkpoint(); err != nil {
		return err
	}
	failpoint("gather.owner refers")
	return v.release(free, keep)
}

// refuse turns own blocks that were moved into shared ones, and returns which.
func (v *Version) refuse(x *transfer, g *segment, done []moved, keep extents) (free []format.BlockRange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var fresh []shared
	for _, m := range x.still(done) {
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

// handOver has every version that has blocks in the file of key get them into its
// own, as long as there is room: those for which there is none lose them, unless one of
// them is kept. That one gets them beyond the limits when the file must go, and loses what
// the disk does not take. It needs moving. Errors: ErrInUse (wrapped) when one that is kept
// needs the file, and it need not go; ErrClosed.
func (s *Store) handOver(key Key, must bool) error {
	users := s.sharersOf(key)
	if len(users) == 0 {
		return nil
	}
	kept := s.kept()
	for _, first := range []bool{true, false} { // when the file stays for one that is kept, no other has lost by it
		for _, user := range users {
			if kept[user] != first {
				continue
			}
			if err := s.handOverTo(user, key, kept[user], must); err != nil {
				return err
			}
		}
	}
	return nil
}

// handOverTo is handOver to one version.
func (s *Store) handOverTo(user, key Key, kept, must bool) error {
	var lack error
	err := s.withVersion(user, func(w *Version) error {
		how := gathering{only: &key, copying: true, beyond: kept && must}
		for more := true; more && lack == nil; {
			more, lack = w.gather(how)
		}
		if errors.Is(lack, ErrClosed) || kept && !must && lack != nil {
			return nil
		}
		return w.unlinkFrom(key)
	})
	err = errors.Join(lack, err)
	if s.stopped() || errors.Is(err, ErrClosed) {
		return ErrClosed // it may not have got them
	}
	switch {
	case err == nil, errors.Is(err, ErrNotFound):
	case kept && !must:
		return fmt.Errorf("%w: version %v, which is kept, has blocks in its file, and there is no room for them elsewhere: %w", ErrInUse, user, err)
	default:
		s.options.Warn(fmt.Errorf("blockstore: version %v loses blocks that it shares: %w", user, err))
	}
	s.dropSharer(key, user)
	return nil
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
