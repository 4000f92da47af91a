package blockstore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/zsyncfs/zsyncfs/format"
)

// snapshot is what one checkpoint of a version makes durable.
type snapshot struct {
	pages       []knownPage
	bytes       int64  // put since the last snapshot
	room        int64  // that was reserved for them
	shared      []byte // the file of shared runs; nil: as it was
	owners      []Key  // of these
	controlFile bool   // the control file has new bytes
	meta        *versionMeta
}

func (s *snapshot) empty() bool {
	return len(s.pages) == 0 && s.meta == nil && s.shared == nil && s.room == 0
}

// Checkpoint makes all that was Put before durable, metadata included.
//
// Errors: of the disk; blocks that could not be made durable are no longer
// here. ErrClosed.
func (v *Version) Checkpoint() error {
	if v.nowhere {
		return nil
	}
	v.folder.Lock()
	if v.parts == nil {
		v.folder.Unlock()
		return ErrClosed
	}
	err := v.checkpoint()
	v.folder.Unlock()
	if err != nil {
		return err
	}
	return v.store.commit()
}

// checkpoint writes the version's files in the order that a crash demands, and then
// tells the index, which is to be synced. It needs folder, and open parts: these are
// only swapped and closed under folder, so no file lock is needed, and readers go on.
func (v *Version) checkpoint() error {
	if v.discarded {
		return nil
	}
	snap := v.snapshot()
	v.store.dirtyBytes.Add(-snap.bytes)
	defer v.endSnapshot()
	if snap.empty() && !v.newName {
		return nil
	}
	if err := v.store.owns(); err != nil {
		v.retry(snap)
		v.store.trouble(err)
		return err
	}
	if err := v.write(snap); err != nil {
		err = fmt.Errorf("checkpoint of version %v: %w", v.key, err)
		v.store.trouble(err)
		return err
	}
	return v.settle(snap.room)
}

// settle books what the version takes now, in place of room that was reserved for
// it, and tells the index. It needs folder, so that the index hears of it before
// anything else happens to the version: what it has is what the totals had of a
// version once that is closed.
func (v *Version) settle(room int64) error {
	a := v.account()
	v.store.book(&v.booked, a, room)
	err := v.store.index.update([]entry{keyEntry(v.key, v.name), accountEntry(v.name, a)})
	v.store.trouble(err)
	return err
}

// snapshot takes what changed since the last one. The pages are copied before
// the data is synced, so that they speak of no block that came later.
func (v *Version) snapshot() *snapshot {
	s := &snapshot{}
	c := v.parts.control
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range v.pages {
		p := knownPage{number: i, data: make([]byte, pageSize)}
		encodePage(p.data, v.table.own, i, v.key)
		s.pages = append(s.pages, p)
	}
	clear(v.pages)
	s.bytes, v.unsynced = v.unsynced, 0
	v.syncing = s.bytes > 0
	s.room, v.written = v.written, 0
	if v.newShared {
		s.shared, v.newShared = encodeShared(v.key, v.table.shared), false
		s.owners = owners(v.table.shared)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.controlFile = c.dirty
	if c.dirty || v.stateLost {
		s.meta = &versionMeta{
			key: v.key, state: v.state, geometry: v.geometry(), controlLength: c.length,
			have: c.have, sums: append([]uint32(nil), c.sums...),
		}
		if v.state == Verified {
			v.diskState = Verified // as soon as it is written
		}
	}
	c.dirty, v.stateLost = false, false
	return s
}

// endSnapshot says that the bytes of a snapshot are durable, or are no longer here, or
// count as unsynced again.
func (v *Version) endSnapshot() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.syncing = false
}

// write makes snap durable: bytes first, then what speaks of them; records
// before the blocks that need them. That the version is Verified comes last: the map on
// the disk may name blocks of before that.
func (v *Version) write(snap *snapshot) error {
	dir := v.path()
	failpoint("checkpoint.begun")
	if v.newName {
		if err := syncDir(filepath.Dir(dir)); err != nil {
			v.retry(snap)
			return writeError("sync the folder of versions", err)
		}
		v.newName = false
		failpoint("checkpoint.named")
	}
	if snap.controlFile {
		if err := syncFile(v.parts.control.f); err != nil {
			return v.condemn(snap, true, err)
		}
		failpoint("checkpoint.control synced")
	}
	if snap.bytes > 0 {
		if err := syncFile(v.parts.data.File); err != nil {
			return v.condemn(snap, false, err)
		}
		failpoint("checkpoint.data synced")
	}
	late := snap.meta != nil && snap.meta.state == Verified && (len(snap.pages) > 0 || snap.shared != nil)
	if snap.meta != nil && (!late || snap.controlFile) {
		if err := v.writeState(snap, late); err != nil {
			return err
		}
		failpoint("checkpoint.meta written")
	}
	if len(snap.pages) > 0 {
		if err := writeKnown(v.parts.known, snap.pages); err != nil {
			v.retry(snap)
			return err
		}
		failpoint("checkpoint.known synced")
	}
	// Behind the map, so that blocks which came from another version's file into
	// the own one are in either after a crash.
	if snap.shared != nil {
		err := v.tellOwners(snap.owners)
		if err == nil {
			err = writeShared(dir, snap.shared)
		}
		if err != nil {
			v.retry(snap)
			return writeError("write the shared runs", err)
		}
		v.owners = snap.owners
		failpoint("checkpoint.shared written")
	}
	if late {
		return v.writeState(snap, false)
	}
	return nil
}

// writeState writes the meta file of snap, or as that of a Provisional version.
func (v *Version) writeState(snap *snapshot, provisional bool) error {
	m := *snap.meta
	if provisional {
		m.state = Provisional
	}
	if err := v.writeMeta(v.path(), &m); err != nil {
		v.retry(snap)
		return writeError("write the meta file", err)
	}
	if provisional {
		return nil // diskState says what the disk may say until snap is written
	}
	v.mu.Lock()
	v.diskState = m.state
	v.mu.Unlock()
	failpoint("checkpoint.state written")
	return nil
}

// tellOwners makes durable in the index that the version has blocks in the files of
// these, before its folder says so: after a crash the index must know all who share.
func (v *Version) tellOwners(all []Key) error {
	if !slices.ContainsFunc(all, func(k Key) bool { return !slices.Contains(v.owners, k) }) {
		return nil
	}
	a := v.booked
	a.key, a.place, a.length = v.key, v.place, v.header.Length
	a.owners = withOwners(all, v.owners)
	if err := v.store.index.update([]entry{keyEntry(v.key, v.name), accountEntry(v.name, a)}); err != nil {
		return err
	}
	if err := v.store.syncIndex(); err != nil {
		return err
	}
	v.owners = a.owners
	return nil
}

// withOwners is first and those of more that are not in it, as many as an account has.
func withOwners(first, more []Key) []Key {
	out := slices.Clone(first)
	for _, k := range more {
		if len(out) < maxOwners && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// syncFile is fdatasync; tests make it fail.
var syncFile = fdatasync

func (v *Version) writeMeta(dir string, m *versionMeta) error {
	err := replaceFile(filepath.Join(dir, metaName), filepath.Join(dir, metaTempName), m.encode(), true)
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// retry leaves snap to the next checkpoint: its data is on the disk or still
// to be synced, only what speaks of it is not.
func (v *Version) retry(snap *snapshot) {
	v.store.dirtyBytes.Add(snap.bytes)
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range snap.pages {
		v.pages[p.number] = struct{}{}
	}
	v.unsynced += snap.bytes
	v.written += snap.room
	v.newShared = v.newShared || snap.shared != nil
	if snap.meta != nil {
		v.stateLost = true
		v.parts.control.mu.Lock()
		v.parts.control.dirty = true
		v.parts.control.mu.Unlock()
	}
}

// condemn forgets all that came since the last good checkpoint: after a failed
// fdatasync nobody knows which of it is on the disk, and a second fdatasync
// would not tell. control says whether it was the control file's.
func (v *Version) condemn(snap *snapshot, control bool, cause error) error {
	meta, _ := loadMeta(v.path())
	// Others may refer to what is lost.
	defer v.store.claim(v.parts.data, format.Range{End: v.header.Length}, nil)()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.epoch++
	v.moves.Add(1)
	v.losses.Add(1)
	v.strays = true
	v.written += snap.room
	v.newShared = v.newShared || snap.shared != nil
	v.store.dirtyBytes.Add(-v.unsynced)
	v.unsynced = 0
	for _, p := range snap.pages {
		v.pages[p.number] = struct{}{}
	}
	lost := int64(0)
	var numbers []int64
	for i := range v.pages {
		numbers = append(numbers, i)
		r := v.table.clip(format.BlockRange{Start: format.BlockID(i * pageBlocks), End: format.BlockID((i + 1) * pageBlocks)})
		for b := int64(r.Start); b < int64(r.End); {
			first := v.table.own.next(true, b, int64(r.End))
			b = v.table.own.next(false, first, int64(r.End))
			lost += v.table.forget(format.BlockRange{Start: format.BlockID(first), End: format.BlockID(b)})
		}
	}
	// The pages on the disk are what the last good checkpoint wrote. Their
	// damage only loses blocks. This is the one read under mu: a rare one.
	_ = readKnown(v.parts.known, v.table.own, v.table.blocks, v.key, numbers)
	v.table.settleOwn()
	if v.state == Verified && (meta == nil || meta.state != Verified) {
		v.setState(Provisional) // what is back is of before it was verified
	}
	v.doubtLost()
	if control {
		v.restoreControl(meta)
	} else if snap.meta != nil {
		v.stateLost = true
	}
	lost -= v.kept(numbers)
	return fmt.Errorf("blockstore: %d blocks are given up: %w", lost, cause)
}

// kept is how many blocks of pages are here. It needs mu.
func (v *Version) kept(pages []int64) (n int64) {
	for _, i := range pages {
		r := v.table.clip(format.BlockRange{Start: format.BlockID(i * pageBlocks), End: format.BlockID((i + 1) * pageBlocks)})
		for b := int64(r.Start); b < int64(r.End); {
			first := v.table.own.next(true, b, int64(r.End))
			b = v.table.own.next(false, first, int64(r.End))
			n += b - first
		}
	}
	return n
}

// restoreControl goes back to the extents of meta, the last durable ones, and
// drops the blocks that are then without a record. It needs mu.
func (v *Version) restoreControl(meta *versionMeta) {
	c := v.parts.control
	c.mu.Lock()
	c.have, c.dirty = nil, true
	if meta != nil && meta.key == v.key && int64(len(meta.sums)) == int64(len(c.sums)) {
		c.have = meta.have
		copy(c.sums, meta.sums)
	}
	c.checked.clear(0, c.checked.size)
	c.agreed.Store(false)
	gaps := c.have.missing(format.Range{End: c.length})
	c.mu.Unlock()
	for _, gap := range gaps {
		v.forget(recordBlocks(v.header, gap))
	}
}

// account is what the index is told about the version. It needs folder.
func (v *Version) account() account {
	v.mu.Lock()
	a := account{key: v.key, state: v.state, length: v.header.Length, place: v.place, used: max(v.used.Load(), v.booked.used)}
	a.data, a.own = v.table.bytes()
	a.owners = withOwners(v.owners, owners(v.table.shared))
	v.mu.Unlock()
	c := v.parts
	for _, f := range []*os.File{c.control.f, c.data.File, c.known} {
		if info, err := f.Stat(); err == nil {
			a.disk += diskBytes(info)
		}
	}
	for _, name := range []string{metaName, sharedName, placeName, manifestName} {
		if info, err := os.Lstat(filepath.Join(v.path(), name)); err == nil {
			a.disk += diskBytes(info)
		}
	}
	return a
}

// path is the version's folder. It needs folder.
func (v *Version) path() string { return filepath.Join(v.store.versionsDir(), v.name) }
