package blockstore

import (
	"fmt"
	"slices"

	"github.com/zsyncfs/zsyncfs/format"
)

// Shared is a run of blocks whose bytes another version has.
type Shared struct {
	Blocks format.BlockRange
	// Off is where the bytes of the first block begin in the other target; those
	// of the others follow.
	Off int64
	// Checked says that the bytes were held against the records of Blocks, after Moves
	// of the other version gave Moves. Else, and when that has moved since, it is done
	// when they are first read.
	Checked bool
	Moves   int64
}

// Share says that from, another version of the same store that is open, has the
// bytes of runs, which are ascending and disjoint: these blocks are here from now
// on, and take no room. Blocks that are here already stay as they are, and those
// of which from does not have all bytes in one piece are left out. It returns
// how many blocks it added. It is durable after the next checkpoint. A run whose
// bytes turn out to be others is forgotten like any damaged block. Of a version that was
// verified only blocks with the bytes of then are added, where they are known; else it is
// Provisional again.
//
// Errors: ErrUnknownRecords when records of runs are not here; ErrInvalid;
// ErrClosed; of the disk. Safe for concurrent use.
func (v *Version) Share(from *Version, runs []Shared) (added int64, err error) {
	if v.nowhere || from.nowhere || from == v || len(runs) == 0 {
		return 0, nil
	}
	if err := v.checkShared(runs); err != nil {
		return 0, err
	}
	for len(runs) > 0 {
		var some []Shared
		some, runs = v.nextRuns(runs)
		n, err := v.shareSome(from, some)
		added += n
		if err != nil {
			return added, err
		}
	}
	return added, nil
}

// Moves counts what may make bytes that are read later others than bytes that were
// read before.
func (v *Version) Moves() int64 { return v.moves.Load() }

// readAtOnce is how many bytes of shared runs are read while moving is held.
const readAtOnce = 16 << 20

// nextRuns are the runs to share at once, and the rest: all, unless they have to be read.
func (v *Version) nextRuns(runs []Shared) (some, rest []Shared) {
	if v.State() != Verified {
		return runs, nil
	}
	left := format.BlockID(max(readAtOnce/v.header.BlockSize, 1))
	for i, r := range runs {
		if n := format.BlockID(r.Blocks.Count()); n <= left {
			some, left = append(some, r), left-n
			continue
		}
		first, last := r, r
		first.Blocks.End = r.Blocks.Start + left
		last.Blocks.Start = first.Blocks.End
		last.Off += v.geometry().Bytes(first.Blocks).Length()
		if left > 0 {
			some = append(some, first)
		}
		return some, append([]Shared{last}, runs[i+1:]...)
	}
	return some, nil
}

// shareSome is Share, which has checked the runs, with moving held all the time.
func (v *Version) shareSome(from *Version, runs []Shared) (added int64, err error) {
	s := v.store
	s.moving.RLock()
	defer s.moving.RUnlock()
	if s.discarded(v) || s.discarded(from) {
		return 0, nil
	}
	moves := from.moves.Load()
	// What was looked up may be other bytes later.
	same := func() bool { return from.moves.Load() == moves }
	file, err := from.dataFile()
	if err != nil {
		return 0, err
	}
	for _, checked := range []bool{false, true} {
		var found []located
		for _, r := range runs {
			if (r.Checked && r.Moves == moves) == checked {
				found = from.locate(file, v, r, found)
			}
		}
		if len(found) == 0 {
			continue
		}
		found, sure := v.asVerified(found)
		n, err := v.enterLink(found, linking{checked, sure, same})
		added += n
		if err != nil {
			return added, err
		}
	}
	return added, nil
}

// enterLink is link of a version whose files may not be in use.
func (v *Version) enterLink(runs []located, how linking) (added int64, err error) {
	if _, err := v.enter(); err != nil {
		return 0, err
	}
	defer v.leave()
	return v.link(runs, how)
}

// checkShared says whether runs are what Share wants.
func (v *Version) checkShared(runs []Shared) error {
	parts, err := v.enter()
	if err != nil {
		return err
	}
	defer v.leave()
	next := format.BlockID(0)
	for _, r := range runs {
		if r.Blocks.Start < next || r.Blocks.Count() == 0 || int64(r.Blocks.End) > v.geometry().BlockCount() || r.Off < 0 {
			return fmt.Errorf("%w: %v at %d", ErrInvalid, r.Blocks, r.Off)
		}
		next = r.Blocks.End
		if !parts.control.covers(v.header.RecordRange(r.Blocks)) {
			return ErrUnknownRecords
		}
	}
	return nil
}

// dataFile is the version's own. It may be another one when moves has changed.
func (v *Version) dataFile() (*dataFile, error) {
	parts, err := v.enter()
	if err != nil {
		return nil, err
	}
	defer v.leave()
	return parts.data, nil
}

// locate appends to out where in the files of the store the blocks r of user are,
// as far as the version, whose file is own, has them in one piece.
func (v *Version) locate(own *dataFile, user *Version, r Shared, out []located) []located {
	g := user.geometry()
	v.mu.Lock()
	defer v.mu.Unlock()
	for b := r.Blocks.Start; b < r.Blocks.End; {
		off := r.Off + g.Offset(b) - g.Offset(r.Blocks.Start)
		piece := v.piece(own, off, g.Bytes(format.BlockRange{Start: b, End: r.Blocks.End}).Length())
		n := format.BlockID(piece.length / g.BlockSize)
		if b+n < r.Blocks.End && piece.length-int64(n)*g.BlockSize == g.BlockLength(b+n) {
			n++ // the target's last block, which is short
		}
		if n > 0 && piece.segment != user.key {
			out = append(out, located{blocks: format.BlockRange{Start: b, End: b + n}, owner: piece.segment, file: piece.file, off: piece.off})
		}
		b += max(n, 1)
	}
	return out
}

// piece is bytes that lie one behind the other in a data file.
type piece struct {
	segment     Key
	file        *dataFile
	off, length int64
}

// piece is where byte off of the target lies, and how many of the length bytes
// from there on follow it. own is its file. It needs mu.
func (v *Version) piece(own *dataFile, off, length int64) (out piece) {
	g := v.geometry()
	end := min(off+length, g.Length)
	for at := off; at < end; {
		b := g.Block(at)
		run := v.table.run(b, g.Block(end-1)+1)
		p := piece{segment: v.key, file: own, off: run.off + at - g.Offset(b)}
		switch run.at {
		case nowhere:
			return out
		case otherSegment:
			p.segment, p.file = run.segment.key, run.segment.f
		}
		p.length = min(g.Bytes(format.BlockRange{Start: b, End: run.end}).End, end) - at
		if out.length > 0 && (p.file != out.file || p.off != out.off+out.length) {
			return out
		}
		if out.length == 0 {
			out = p
		} else {
			out.length += p.length
		}
		at += p.length
	}
	return out
}

// linking is what a Share knows of runs.
type linking struct {
	checked bool        // they were held against their records
	sure    bool        // they are what was verified
	still   func() bool // whether they are as they were when they were looked up
}

// link says where runs, which are ascending and disjoint, are, as far as they are
// nowhere by now, the owner has this very file, nobody is changing these bytes, and
// they are still as they were. It returns how many blocks that are.
func (v *Version) link(runs []located, how linking) (added int64, err error) {
	segments := map[Key]*segment{}
	for _, r := range runs {
		if _, known := segments[r.owner]; known {
			continue
		}
		if segments[r.owner], err = v.useSegment(r.owner); err != nil {
			return 0, err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var free []shared
	for _, r := range runs {
		at := format.Range{Start: r.off, End: r.off + v.geometry().Bytes(r.blocks).Length()}
		if g := segments[r.owner]; g != nil && (r.file == nil || r.file == g.f) && !v.store.isClaimed(g.f, at) {
			free = v.table.unknown(shared{blocks: r.blocks, segment: g, off: r.off}, free)
		}
	}
	// After isClaimed: what was claimed before that, and is not any more, moved.
	if len(free) == 0 || len(v.table.shared)+len(free) > maxShared || !how.still() {
		return 0, nil
	}
	for _, f := range free {
		added += f.blocks.Count()
	}
	v.table.share(free, how.checked)
	v.newShared = true
	if v.state == Verified && !how.sure {
		v.setState(Provisional)
	}
	return added, nil
}

// useSegment is the segment of key, which the version then uses until it is
// closed; nil when there is none, or the version uses too many.
func (v *Version) useSegment(key Key) (*segment, error) {
	g, err := v.store.segment(key)
	if err == errNoSegment {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("blockstore: share blocks: %w", err)
	}
	v.mu.Lock()
	_, known := v.segments[g]
	full := len(v.segments) >= maxOwners
	if !known && !full {
		if v.segments == nil {
			v.segments = map[*segment]struct{}{}
		}
		v.segments[g] = struct{}{}
		g.addUser(v)
	}
	if known || !full { // it may have been dropped as a sharer since it was known
		v.store.addSharer(key, v.key)
	}
	v.mu.Unlock()
	if known || full {
		v.store.unuse(g)
	}
	if full && !known {
		return nil, nil
	}
	return g, nil
}

// takeShared takes what the disk tells of shared runs, for a version that is being
// opened. What cannot be had is not here.
func (v *Version) takeShared(runs []located) {
	want := int64(0)
	for _, r := range runs {
		want += r.blocks.Count()
	}
	found := slices.DeleteFunc(runs, func(r located) bool { return r.owner == v.key })
	if want == 0 {
		return
	}
	added, err := v.link(found, linking{sure: true, still: func() bool { return true }})
	if err != nil {
		v.store.options.Warn(fmt.Errorf("version %v: %w", v.key, err))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	// Without its record a block cannot be checked.
	for _, gap := range v.parts.control.missing() {
		v.forget(recordBlocks(v.header, gap))
	}
	v.newShared = v.newShared || added != want
}

// dropSegments ends the use of others' segments, with the version.
func (v *Version) dropSegments() {
	v.mu.Lock()
	used := v.segments
	v.segments = nil
	v.mu.Unlock()
	for g := range used {
		g.removeUser(v)
		v.store.unuse(g)
	}
}

// dropShared forgets the blocks of which bytes lie in r of segment g.
func (v *Version) dropShared(g *segment, r format.Range) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.table.overlapping(g, r) {
		v.forget(s)
	}
}

// overlapping are the blocks of which bytes lie in r of segment g.
func (t *table) overlapping(g *segment, r format.Range) (out []format.BlockRange) {
	for _, s := range t.shared {
		at := t.geometry.Bytes(s.blocks)
		start, end := max(r.Start, s.off), min(r.End, s.off+at.Length())
		if s.segment != g || start >= end {
			continue
		}
		out = append(out, t.geometry.Covering(format.Range{Start: at.Start + start - s.off, End: at.Start + end - s.off}))
	}
	return slices.Clip(out)
}

// addSharer notes that the version user may have blocks in the segment of owner.
func (s *Store) addSharer(owner, user Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sharers[owner] == nil {
		s.sharers[owner] = map[Key]struct{}{}
	}
	s.sharers[owner][user] = struct{}{}
}

// sharersOf are the versions that may have blocks in the segment of owner.
func (s *Store) sharersOf(owner Key) (out []Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.sharers[owner] {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b Key) int { return slices.Compare(a[:], b[:]) })
	return out
}

// dropSharer notes that user has no blocks in the segment of owner any more. It
// needs moving, for writing.
func (s *Store) dropSharer(owner, user Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.sharers[owner], user); len(s.sharers[owner]) == 0 {
		delete(s.sharers, owner)
	}
}
