package blockstore

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// evictAhead is what part of the limit is kept free, so that a Put rarely waits: a
// 32nd.
const evictAhead = 32

// Hold keeps the version from being evicted until Release, once for each Hold.
// Versions that are open and not held, because they may be wanted again, go like
// those that are not open.
func (v *Version) Hold() { v.holds.Add(1) }

// Release ends a Hold.
func (v *Version) Release() {
	v.used.Store(time.Now().Unix())
	if v.holds.Add(-1) > 0 || v.nowhere {
		return
	}
	v.store.mu.Lock()
	v.store.barren = false
	v.store.mu.Unlock()
}

// wakeEvictor has the evictor look whether there is too much.
func (s *Store) wakeEvictor() {
	select {
	case s.evict <- struct{}{}:
	default:
	}
}

// evictor evicts what is too much, until the store is closed.
func (s *Store) evictor() {
	defer s.work.Done()
	for {
		select {
		case <-s.stop:
			return
		case <-s.evict:
		}
		s.mu.Lock()
		n := s.wanted
		s.wanted = 0
		s.mu.Unlock()
		s.evictFor(n)
	}
}

// excess is how many bytes must go for n more to fit, with some kept free ahead.
func (s *Store) excess(n int64) int64 {
	s.refreshFree()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out int64
	if l := s.limits; l.Size > 0 {
		out = s.usedLocked() + n - (l.Size - l.Size/evictAhead)
	}
	if s.limits.MinFree > 0 && s.free >= 0 {
		out = max(out, s.limits.MinFree+n-s.free)
	}
	return out
}

// evictFor evicts versions until n more bytes fit, those first that were used
// longest ago.
func (s *Store) evictFor(n int64) {
	s.evicting.Lock()
	defer s.evicting.Unlock()
	if s.excess(n) <= 0 {
		s.madeRoom() // who waits looks again
		return
	}
	s.setBarren(false)
	s.trimOpen(n)
	for _, c := range s.candidates() {
		if s.excess(n) <= 0 || s.stopped() {
			return
		}
		freed, err := s.remove(c.key)
		if err != nil && !errors.Is(err, ErrInUse) {
			s.trouble(fmt.Errorf("blockstore: evict version %v: %w", c.key, err))
		}
		if freed {
			s.madeRoom()
		}
	}
	for s.excess(n) > 0 && !s.stopped() && s.evictColdest() {
		s.madeRoom()
	}
	s.setBarren(s.excess(n) > 0)
}

// trimOpen gives back the room of what open versions have forgotten, until n more bytes
// fit. Those that are not open go as they are.
func (s *Store) trimOpen(n int64) {
	for _, v := range s.versions() {
		if s.excess(n) <= 0 || s.stopped() {
			return
		}
		if !v.setStrays(false) {
			continue
		}
		if err := v.trim(); err != nil {
			v.setStrays(true)
			if !errors.Is(err, errPinned) {
				s.trouble(err)
			}
			continue
		}
		s.madeRoom()
	}
}

func (s *Store) setBarren(b bool) {
	s.mu.Lock()
	s.barren = b
	s.mu.Unlock()
	if b {
		s.madeRoom() // who waits waits for nothing
	}
}

func (s *Store) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// candidate is a version that may be evicted.
type candidate struct {
	key  Key
	used int64
}

// candidates are the versions that take room and that nobody holds, by the time of
// their last use.
func (s *Store) candidates() (out []candidate) {
	open, kept := map[Key]bool{}, s.kept()
	for _, v := range s.versions() {
		open[v.key] = true
		v.mu.Lock()
		takes := v.table.ownCount() > 0
		v.mu.Unlock()
		if v.holds.Load() == 0 && takes && !kept[v.key] {
			out = append(out, candidate{v.key, v.used.Load()})
		}
	}
	_ = s.index.each(indexVersion, func(_ string, value []byte) {
		if a, ok := decodeAccount(value); ok && !open[a.key] && !kept[a.key] {
			out = append(out, candidate{a.key, a.used})
		}
	})
	slices.SortFunc(out, func(a, b candidate) int { return cmp.Compare(a.used, b.used) })
	return out
}

var errHeld = fmt.Errorf("%w: it is held open", ErrInUse)

// Remove takes the version of key out of the store, as an eviction does: what
// others share of it stays with them. One that is open and not held loses its
// blocks and stays open.
//
// Errors: ErrInUse when somebody holds it or reads its file, or one that is kept needs it
// and there is no room for a copy; ErrNotFound; of the
// disk; ErrClosed. Safe for concurrent use.
func (s *Store) Remove(key Key) error {
	if err := s.enter(); err != nil {
		return err
	}
	s.leave() // it opens versions, which enter
	freed, err := s.remove(key)
	switch {
	case err == nil && !freed:
		return ErrNotFound
	case freed:
		s.madeRoom()
	}
	return err
}

// remove takes a version out of the store; freed says that there was something.
func (s *Store) remove(key Key) (freed bool, err error) {
	s.moving.Lock()
	defer s.moving.Unlock()
	if err := s.owns(); err != nil {
		return false, err
	}
	if s.isRead(key) {
		return false, errPinned
	}
	if err := s.inUse(key, s.openVersionOf(key)); err != nil {
		return false, err
	}
	if err := s.handOver(key, false); err != nil {
		return false, err
	}
	failpoint("evict.handed over")
	e := s.lockSlot(key)
	v := e.version.Load()
	if v == nil {
		defer s.leaveSlot(key, e)
		defer e.opening.Unlock()
		return s.removeClosed(key)
	}
	// It stays open for this: the slot counts one use more.
	e.refs++
	e.opening.Unlock()
	// It may have been opened only since the first look.
	if err = s.inUse(key, v); err == nil {
		freed, err = v.empty()
	}
	return freed, errors.Join(err, v.Close())
}

// inUse is why the version of key, which v is if it is open, must stay. The files of
// one that is not open are removed, which leaves the bytes to a map of them; of one that
// is open holes are made, if the disk can do that. It needs moving.
func (s *Store) inUse(key Key, v *Version) error {
	switch {
	case v == nil:
		return nil
	case v.holds.Load() > 0, s.noHoles.Load():
		return errHeld
	case s.mapped(key):
		return errPinned
	}
	return nil
}

// openVersionOf is the version of key if it is open; nil otherwise.
func (s *Store) openVersionOf(key Key) *Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.open[key]; e != nil {
		return e.version.Load()
	}
	return nil
}

// pinned says whether the data file of key is being read past the store: by an open
// Data, or by a map that outlived it. It needs moving.
func (s *Store) pinned(key Key) bool { return s.isRead(key) || s.mapped(key) }

// isRead says whether a Data of key is open.
func (s *Store) isRead(key Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pins[key] > 0
}

// removeClosed removes the folder of a version that is not open. Its slot is held.
func (s *Store) removeClosed(key Key) (bool, error) {
	name, err := s.findFolder(key)
	if err != nil || name == "" {
		return false, err
	}
	gone, err := s.setAside(name)
	if err != nil {
		return false, err
	}
	failpoint("evict.set aside")
	a := s.bookedAccount(name)
	s.detachSegment(key)
	for _, owner := range a.owners {
		s.dropSharer(owner, key)
	}
	// Its room counts as taken until it is given back.
	err = os.RemoveAll(filepath.Join(s.versionsDir(), gone))
	failpoint("evict.removed")
	s.gone(a)
	return true, errors.Join(err, s.updateIndex([]entry{keyEntry(key, ""), {key: indexVersion + name}, {key: indexSketch + key.String()}, {key: indexKept + key.String()}}))
}

// empty forgets all blocks of a version that is open, and gives back their room.
func (v *Version) empty() (freed bool, err error) {
	v.mu.Lock()
	freed = v.table.count > 0
	v.mu.Unlock()
	if !freed {
		return false, nil
	}
	return v.giveBack(v.geometry().All())
}

// giveBack forgets blocks and gives back their room; freed says that it did.
func (v *Version) giveBack(blocks format.BlockRange) (freed bool, err error) {
	if err := v.drop(blocks); err != nil {
		return false, err
	}
	// What lasts must not speak of bytes that are no longer there. But it may not be
	// possible to write that, on a full disk say, and to give back room is what helps:
	// a block is held against its record when it is first read after the next start.
	if err := v.Checkpoint(); err != nil && !isDisk(err) {
		return false, err
	}
	err = v.release([]format.BlockRange{blocks}, nil)
	return err == nil || isDisk(err), err
}
