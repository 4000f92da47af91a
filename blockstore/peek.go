package blockstore

import (
	"os"
	"path/filepath"
)

// Peeked is what is here of a version: how many blocks, how many of them in other
// versions' files, and its state.
type Peeked struct {
	Blocks, Shared int64
	State          State
}

// Peek looks what is here of the version of key, open or not. A version that the
// store does not have has no blocks and is Provisional. It makes no version. Errors:
// ErrClosed; those of the disk.
//
// For a version that is not open the counts are those of its last checkpoint. Safe
// for concurrent use.
func (s *Store) Peek(key Key) (Peeked, error) {
	if err := s.enter(); err != nil {
		return Peeked{}, err
	}
	defer s.leave()
	// findFolder drops or mends what is damaged, so nobody may be loading or
	// closing the version meanwhile.
	e := s.lockSlot(key)
	defer s.leaveSlot(key, e)
	defer e.opening.Unlock()
	if v := e.version.Load(); v != nil {
		return Peeked{Blocks: v.KnownCount(), Shared: v.Shares(), State: v.State()}, nil
	}
	name, err := s.findFolder(key)
	if err != nil || name == "" {
		return Peeked{}, err
	}
	return peekFolder(filepath.Join(s.versionsDir(), name), key), nil
}

// peekFolder is what the folder dir tells of the version of key.
func peekFolder(dir string, key Key) (p Peeked) {
	meta, err := loadMeta(dir)
	if err != nil || meta.key != key {
		return p // never checkpointed, or damaged: then it starts anew when it is opened
	}
	p.State = meta.state
	known, err := OpenFile(filepath.Join(dir, knownName), os.O_RDONLY)
	if err != nil {
		return p
	}
	defer known.Close()
	// A page that is not in the file has no block, so memory is bounded by it, or by
	// the file of shared runs.
	blocks := meta.geometry.BlockCount()
	info, err := known.Stat()
	shared, _ := readShared(dir, key, blocks)
	if err != nil || info.Size() < pageCount(blocks)*pageSize && len(shared) == 0 {
		return p
	}
	here := newBitset(blocks)
	if err := readKnown(known, here, blocks, key, nil); err != nil {
		return p
	}
	for _, r := range shared {
		p.Shared += here.set(int64(r.blocks.Start), int64(r.blocks.End))
	}
	p.Blocks = here.count()
	return p
}

// PlaceOf is where the version of key came from, open or not; "" when that is not known.
// Safe for concurrent use.
func (s *Store) PlaceOf(key Key) Place {
	if s.enter() != nil {
		return ""
	}
	defer s.leave()
	e := s.lockSlot(key)
	defer s.leaveSlot(key, e)
	defer e.opening.Unlock()
	if v := e.version.Load(); v != nil {
		return v.place
	}
	name, err := s.findFolder(key)
	if err != nil || name == "" {
		return ""
	}
	text, err := ReadFile(filepath.Join(s.versionsDir(), name, placeName), maxPlace)
	if err != nil {
		return ""
	}
	return Place(text)
}
