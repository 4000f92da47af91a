package blockstore

import (
	"os"
	"path/filepath"
)

// Peek is what is here of the version of key, open or not: its blocks (a count)
// and its state. A version that the store does not have has none and is
// Provisional. It makes no version. Errors: ErrClosed; those of the disk.
//
// For a version that is not open the count is that of its last checkpoint. Safe
// for concurrent use.
func (s *Store) Peek(key Key) (blocks int64, state State, err error) {
	if err := s.enter(); err != nil {
		return 0, Provisional, err
	}
	defer s.leave()
	// findFolder drops or mends what is damaged, so nobody may be loading or
	// closing the version meanwhile.
	e := s.lockSlot(key)
	defer s.leaveSlot(key, e)
	defer e.opening.Unlock()
	if v := e.version.Load(); v != nil {
		return v.KnownCount(), v.State(), nil
	}
	name, err := s.findFolder(key)
	if err != nil || name == "" {
		return 0, Provisional, err
	}
	meta, err := loadMeta(filepath.Join(s.versionsDir(), name))
	if err != nil || meta.key != key {
		return 0, Provisional, nil // never checkpointed, or damaged: then it starts anew when it is opened
	}
	known, err := openFile(filepath.Join(s.versionsDir(), name, knownName), os.O_RDONLY)
	if err != nil {
		return 0, meta.state, nil
	}
	defer known.Close()
	// A page that is not in the file has no block, so memory is bounded by it.
	if info, err := known.Stat(); err != nil || info.Size() < pageCount(meta.geometry.BlockCount())*pageSize {
		return 0, meta.state, nil
	}
	own := newTable(meta.geometry)
	if err := readKnown(known, own.own, own.blocks, key, nil); err != nil {
		return 0, meta.state, nil
	}
	shared, _ := readShared(filepath.Join(s.versionsDir(), name), key, own.blocks)
	for _, r := range shared {
		own.own.set(int64(r.blocks.Start), int64(r.blocks.End))
	}
	return own.own.count(), meta.state, nil
}
