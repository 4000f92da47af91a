package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// slot is the place of one Key among the open versions.
type slot struct {
	users int // guarded by Store.mu; callers that hold or wait for the version

	opening sync.Mutex // held while the version is loaded or closed, with the I/O
	refs    int        // guarded by opening
	version atomic.Pointer[Version]
}

// OpenVersion opens the version of this header from place, and makes it when
// the store does not have it. raw are the header's bytes, Header.Size of them;
// place has at most 4096 bytes. Every
// OpenVersion needs one Close; the same *Version is returned while it is open.
// h must not be changed after.
//
// Errors: ErrInvalid; ErrFull (wrapped); ErrGone (wrapped); of the disk; ErrClosed.
// Damage is no error: what is lost is told to Options.Warn. Safe for concurrent use.
func (s *Store) OpenVersion(raw []byte, h *format.Header, place Place) (*Version, error) {
	if h == nil || int64(len(raw)) != h.Size || !plausible(h.Geometry()) || h.RecordSize() <= 0 || len(place) > maxPlace {
		return nil, fmt.Errorf("%w: the header and its bytes do not fit", ErrInvalid)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	key := HeaderKey(raw, h, place)
	e := s.lockSlot(key)
	defer e.opening.Unlock()
	if v := e.version.Load(); v != nil {
		e.refs++
		return v, nil
	}
	v, err := s.loadVersion(key, place, raw, h, e)
	if err != nil {
		s.leaveSlot(key, e)
		s.trouble(err)
		return nil, err
	}
	e.refs = 1
	e.version.Store(v)
	return v, nil
}

// lockSlot takes the slot of key, with opening held. leaveSlot must follow some
// time. A slot that was detached by Discard while this waited, and is empty by
// now, is left for the new one: two of them would load the same folder twice.
func (s *Store) lockSlot(key Key) *slot {
	for {
		e := s.takeSlot(key)
		e.opening.Lock()
		s.mu.Lock()
		current := s.open[key] == e
		s.mu.Unlock()
		if current || e.version.Load() != nil {
			return e
		}
		e.opening.Unlock()
		s.leaveSlot(key, e)
	}
}

func (s *Store) takeSlot(key Key) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.open[key]
	if e == nil {
		e = &slot{}
		s.open[key] = e
	}
	e.users++
	return e
}

func (s *Store) leaveSlot(key Key, e *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.users--
	if e.users == 0 && s.open[key] == e {
		delete(s.open, key)
	}
}

// Close gives back one OpenVersion. The last one makes all that was Put
// durable and closes the files. Errors: of that; ErrClosed.
func (v *Version) Close() error {
	if v.nowhere {
		return nil
	}
	e, s := v.slot, v.store
	if s.enter() == nil {
		defer s.leave()
	}
	e.opening.Lock()
	defer e.opening.Unlock()
	if e.version.Load() != v || e.refs == 0 {
		return ErrClosed
	}
	defer s.leaveSlot(v.key, e)
	if e.refs--; e.refs > 0 {
		return nil
	}
	e.version.Store(nil)
	return v.end()
}

// end checkpoints and closes the files. It does nothing the second time.
func (v *Version) end() error {
	v.folder.Lock()
	defer v.folder.Unlock()
	if v.parts == nil {
		return nil
	}
	err := v.checkpoint()
	v.prove()
	v.files.Lock()
	v.parts.close()
	v.parts = nil
	v.files.Unlock()
	v.dropSegments()
	v.mu.Lock()
	v.store.unreserve(v.written)        // of what no checkpoint booked
	v.store.dirtyBytes.Add(-v.unsynced) // of one that was discarded
	v.written, v.unsynced = 0, 0
	v.mu.Unlock()
	if v.discarded {
		err = errors.Join(err, v.removeFiles())
	}
	return err
}

// loadVersion opens the version of key, or makes it.
func (s *Store) loadVersion(key Key, place Place, raw []byte, h *format.Header, e *slot) (*Version, error) {
	if err := s.owns(); err != nil {
		return nil, err
	}
	v := &Version{store: s, key: key, place: place, header: h, slot: e, pages: map[int64]struct{}{}}
	name, err := s.findFolder(key)
	if err != nil {
		return nil, err
	}
	v.name = name
	if name == "" {
		v.name, v.newName = provisionalName(key), true
		if err := os.Mkdir(v.path(), 0o700); err != nil {
			return nil, writeError("make a version", err)
		}
		// Only needed for Entries and when the meta file is lost, so not worth a failure.
		_ = os.WriteFile(filepath.Join(v.path(), placeName), []byte(place), 0o600)
	}
	l, err := loadParts(v.path(), key, h, s.options.Warn)
	if err != nil {
		return nil, err
	}
	v.parts, v.table, v.state, v.pages = l.parts, l.table, l.state, l.pages
	v.diskState, v.stateLost, v.sums = l.disk, l.state != l.disk, l.sums
	v.owners = ownersOf(l.shared)
	v.strays = name != "" // a crash may have left some
	v.used.Store(time.Now().Unix())
	v.id, _, v.hasID, _ = parseName(v.name)
	s.settleSegment(key, v.parts.data)
	v.takeShared(l.shared) // from here on others reach it, to take shared blocks away
	v.recall()
	if v.newName {
		s.mu.Lock()
		s.totals.versions++
		s.mu.Unlock()
	} else {
		v.booked = s.bookedAccount(v.name)
		if v.account().disk != v.booked.disk { // as survey finds them
			_ = v.settle(0) // says itself what fails
		}
	}
	if err := v.complete(raw); err != nil {
		v.parts.close()
		v.dropSegments()
		return nil, err
	}
	return v, nil
}

// complete adds the header where it is missing, and ends a promotion that a
// crash cut short.
func (v *Version) complete(raw []byte) error {
	v.promoting.Lock()
	defer v.promoting.Unlock()
	all := format.Range{End: int64(len(raw))}
	if !v.parts.control.covers(all) {
		err := v.putControl(raw, 0)
		if errors.Is(err, ErrControlConflict) {
			// The header is what the Key was made from, so what is here is wrong.
			v.forgetRecords(v.parts.control.forget(all))
			err = v.putControl(raw, 0)
		}
		if err != nil {
			return err
		}
	}
	if v.hasID {
		return nil
	}
	return v.promote(all)
}

// findFolder is the name of the folder of key; "" when there is none.
func (s *Store) findFolder(key Key) (string, error) {
	names := []string{provisionalName(key)}
	if text, err := s.index.value(keyEntry(key, "").key); err == nil {
		if _, _, _, ok := parseName(string(text)); ok {
			names = append([]string{string(text)}, names...)
		}
	} else if errors.Is(err, ErrClosed) {
		return "", err
	}
	for _, name := range names {
		path := filepath.Join(s.versionsDir(), name)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("blockstore: %w", err)
		}
		if _, _, whole, _ := parseName(name); info.IsDir() && (!whole || s.usable(path, key)) {
			return name, nil
		}
		if err := s.condemn(name); err != nil {
			return "", err
		}
	}
	return "", nil
}

// bookedAccount is what the totals hold for a version.
func (s *Store) bookedAccount(name string) account {
	p, err := s.index.value(indexVersion + name)
	if err != nil {
		return account{}
	}
	a, _ := decodeAccount(p)
	return a
}
