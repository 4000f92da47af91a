package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zsyncfs/zsyncfs/format"
)

// moveTo gives the version, whose control file has become whole, its ID and
// the folder of that name. It needs promoting.
func (v *Version) moveTo(id ID) error {
	v.folder.Lock()
	defer v.folder.Unlock()
	if v.parts == nil {
		return ErrClosed
	}
	s := v.store
	if err := s.owns(); err != nil {
		s.trouble(err)
		return err
	}
	target := filepath.Join(s.versionsDir(), id.String())
	if !v.discarded {
		if _, err := os.Lstat(target); err == nil {
			return v.mergeInto(id, target)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("blockstore: %w", err)
		}
		if err := v.rename(id.String()); err != nil {
			return err
		}
	}
	v.mu.Lock()
	v.id, v.hasID = id, true
	v.mu.Unlock()
	return nil
}

// rename moves the version's folder. The index hears of it at the next
// checkpoint; when a crash comes before that, Open finds a folder that the
// index does not know, and takes it in. It needs folder.
func (v *Version) rename(name string) error {
	old := v.name
	if err := os.Rename(v.path(), filepath.Join(v.store.versionsDir(), name)); err != nil {
		return writeError("name a version", err)
	}
	failpoint("promote.renamed")
	v.name, v.newName = name, true
	now := v.booked // nothing, of a version that is new
	now.key, now.place, now.length = v.key, v.place, v.header.Length
	return v.store.index.update([]entry{keyEntry(v.key, name), {key: indexVersion + old}, accountEntry(name, now)})
}

// mergeInto goes on with the folder that has the ID already, which the index
// had lost: blocks that are only here are copied there. Readers go on; they
// wait only while the last few blocks are copied. It needs folder.
func (v *Version) mergeInto(id ID, target string) error {
	s := v.store
	if !s.usable(target, v.key) {
		if err := s.condemn(id.String()); err != nil {
			return err
		}
		if err := v.rename(id.String()); err != nil {
			return err
		}
		s.settleSegment(v.key, v.parts.data)
		v.mu.Lock()
		v.id, v.hasID = id, true
		v.mu.Unlock()
		return nil
	}
	other, err := loadParts(target, v.key, v.header, s.options.Warn)
	if err != nil {
		return err
	}
	if !other.parts.control.whole() {
		err = copyControl(other.parts.control, v.parts.control)
	}
	var sums *os.File
	if other.sums {
		if f, err := OpenFile(filepath.Join(target, manifestName), os.O_RDONLY); err == nil {
			defer f.Close()
			sums = f
		}
	}
	if err == nil {
		err = v.copyBlocks(other, sums)
	}
	if err != nil {
		other.parts.close()
		return err
	}
	v.files.Lock()
	last := v.copyBlocks(other, sums)
	old, oldName := v.parts, v.name
	v.adopt(id, other)
	v.files.Unlock()
	old.close()
	if last != nil {
		s.options.Warn(fmt.Errorf("blockstore: merge a version: %w", last))
	}
	s.gone(v.booked)
	s.settleSegment(v.key, v.parts.data)
	v.owners = ownersOf(other.shared)
	v.takeShared(other.shared)
	v.booked = s.bookedAccount(v.name)
	return errors.Join(
		os.RemoveAll(filepath.Join(s.versionsDir(), oldName)),
		s.index.update([]entry{keyEntry(v.key, v.name), {key: indexVersion + oldName}}))
}

// adopt goes on with other. It needs folder, and files for writing.
func (v *Version) adopt(id ID, other *loaded) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.parts, v.name, v.newName = other.parts, id.String(), true
	v.table, v.pages, v.newShared = other.table, other.pages, true
	v.moves.Add(1)
	v.losses.Add(1) // some are maybe the other's
	v.id, v.hasID = id, true
	if v.state != Suspect {
		v.setState(other.state)
	}
	v.diskState, v.sums = other.disk, other.sums
	v.stateLost = v.stateLost || v.state != v.diskState
	v.touch(format.BlockRange{End: format.BlockID(max(v.table.blocks, 1))})
	// What was copied is to be synced, be it nothing.
	v.unsynced++
	v.store.dirtyBytes.Add(1)
}

// copyControl completes a control file whose pages were lost.
func copyControl(to, from *controlFile) error {
	for _, gap := range to.missing() {
		for gap.Start < gap.End {
			r := format.Range{Start: gap.Start, End: min(gap.End, gap.Start+checkBytes)}
			p := make([]byte, r.Length())
			if _, err := from.f.ReadAt(p, r.Start); err != nil {
				return fmt.Errorf("blockstore: read the control file: %w", err)
			}
			if _, err := to.put(p, r.Start); err != nil {
				return err
			}
			gap.Start = r.End
		}
	}
	return nil
}

// copyBlocks copies the blocks that are here and not in other. They are
// checked when they are next read, if they were not before. When other was verified, only
// those are copied that are so by its manifest, sums.
func (v *Version) copyBlocks(other *loaded, sums *os.File) error {
	if other.disk == Verified && sums == nil {
		return nil // what is missing there is fetched
	}
	buf := make([]byte, max(checkBytes, v.header.BlockSize))
	end := format.BlockID(other.table.blocks)
	for b := format.BlockID(0); b < end; {
		v.mu.Lock()
		here := found{v.table.run(b, end), v.moves.Load()}
		v.mu.Unlock()
		there := other.table.run(b, here.end)
		if here.at == nowhere || there.at != nowhere {
			b = there.end
			continue
		}
		r := format.BlockRange{Start: b, End: min(there.end, b+format.BlockID(int64(len(buf))/v.header.BlockSize))}
		at := v.geometry().Bytes(r)
		_, err := here.file(v.parts).ReadAt(buf[:at.Length()], here.off)
		if v.moves.Load() != here.moves {
			continue // it may have been moved while it was read
		}
		if err == nil && sums != nil {
			if bad, known := v.differingFrom(sums, r, buf[:at.Length()]); !known || len(bad) > 0 {
				err = ErrOtherContent
			}
		}
		if err != nil {
			b = r.End // a block that cannot be read, or is another, is not taken along
			continue
		}
		if _, err := other.parts.data.WriteAt(buf[:at.Length()], at.Start); err != nil {
			return writeError("copy blocks", err)
		}
		other.table.put(r, here.checked)
		b = r.End
	}
	return nil
}
