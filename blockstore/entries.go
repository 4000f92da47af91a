package blockstore

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// Exists says whether dir is a store, without a look at what is in it: Open would
// make one otherwise.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, formatName))
	return err == nil
}

// Entry is a version of the store, open or not, as the index tells; Reopen finds
// out whether that is so.
type Entry struct {
	Key   Key
	Place Place
	State State
	// Length of the target, in bytes.
	Length int64
	// Bytes of blocks that are here, and of those of them that are in the version's
	// own file; of a version that is not open, at its last checkpoint.
	Bytes, Own int64
	// Disk is how many bytes the version takes on the disk.
	Disk int64
	// Used is when it was last used.
	Used time.Time
	// Held says that somebody uses it (see Version.Hold).
	Held bool
	// Kept says that it stays when room is made for others (see Store.Keep).
	Kept bool
}

// Entries are the versions that have blocks, in no order. It reads no file.
//
// Errors: ErrClosed. Safe for concurrent use.
func (s *Store) Entries() ([]Entry, error) {
	all, err := s.AllEntries()
	return slices.DeleteFunc(all, func(e Entry) bool { return e.Bytes == 0 || e.Place == "" }), err
}

// AllEntries are all versions, also those without blocks, and those whose place
// was lost. Else it is Entries.
func (s *Store) AllEntries() ([]Entry, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	var out []Entry
	open := map[Key]bool{}
	for _, v := range s.versions() {
		if !open[v.key] {
			open[v.key] = true
			out = append(out, v.entry())
		}
	}
	err := s.index.each(indexVersion, func(_ string, value []byte) {
		if a, ok := decodeAccount(value); ok && !open[a.key] {
			out = append(out, Entry{Key: a.key, Place: a.place, State: a.state, Length: a.length,
				Bytes: a.data, Own: a.own, Disk: a.disk, Used: time.Unix(a.used, 0)})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("blockstore: read the index: %w", err)
	}
	kept := s.kept()
	for i := range out {
		out[i].Kept = kept[out[i].Key]
	}
	return out, nil
}

// entry is the Entry of a version that is open.
func (v *Version) entry() Entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := Entry{Key: v.key, Place: v.place, State: v.state, Length: v.header.Length, Used: time.Unix(v.used.Load(), 0), Held: v.holds.Load() > 0}
	e.Bytes, e.Own = v.table.bytes()
	v.store.mu.Lock()
	defer v.store.mu.Unlock()
	e.Disk = v.booked.disk
	if e.Held {
		e.Used = time.Now()
	}
	return e
}

// InOnePiece says whether bytes r of the target are here and lie one behind the
// other in one file, so that another version can share them. Safe for concurrent
// use.
func (v *Version) InOnePiece(r format.Range) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.piece(nil, r.Start, r.Length()).length == r.Length()
}

// MaxSketch is the length of the longest sketch, in bytes.
const MaxSketch = 4096

// PutSketch keeps a few bytes by which the layers above tell which versions have
// content in common, as long as the store has the version of key. It is durable
// after the next checkpoint.
//
// Errors: ErrInvalid; ErrClosed. Safe for concurrent use.
func (s *Store) PutSketch(key Key, sketch []byte) error {
	if len(sketch) > MaxSketch {
		return fmt.Errorf("%w: a sketch of %d bytes", ErrInvalid, len(sketch))
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.index.update([]entry{{key: indexSketch + key.String(), value: append([]byte{}, sketch...)}})
}

// Sketches calls f with every sketch; p is only valid during the call. Errors:
// ErrClosed. Safe for concurrent use.
func (s *Store) Sketches(f func(key Key, p []byte)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.index.each(indexSketch, func(text string, p []byte) {
		var key Key
		if _, err := hex.Decode(key[:], []byte(text[:min(len(text), 2*len(key))])); err == nil && len(text) == 2*len(key) {
			f(key, p)
		}
	})
}

// Reopen is OpenVersion of a version that the store has, with the header that
// is kept there.
//
// Errors: ErrNotFound when it has none of this key, or none of which header and
// place can be read; those of OpenVersion. Safe for concurrent use.
func (s *Store) Reopen(key Key) (*Version, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	e := s.lockSlot(key)
	defer e.opening.Unlock()
	if v := e.version.Load(); v != nil {
		e.refs++
		return v, nil
	}
	v, err := s.reload(key, e)
	if err != nil {
		s.leaveSlot(key, e)
		return nil, err
	}
	e.refs = 1
	e.version.Store(v)
	return v, nil
}

// reload loads the version of key by its own files.
func (s *Store) reload(key Key, e *slot) (*Version, error) {
	name, err := s.findFolder(key)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, ErrNotFound
	}
	raw, h, place, err := readOwnHeader(filepath.Join(s.versionsDir(), name))
	if err != nil {
		return nil, fmt.Errorf("%w: its header cannot be read: %w", ErrNotFound, err)
	}
	if HeaderKey(raw, h, place) != key || !plausible(h.Geometry()) {
		return nil, fmt.Errorf("%w: its header is another's", ErrNotFound)
	}
	return s.loadVersion(key, place, raw, h, e)
}

// readOwnHeader reads the header and the place that a version's folder has.
func readOwnHeader(dir string) (raw []byte, h *format.Header, place Place, err error) {
	text, err := ReadFile(filepath.Join(dir, placeName), maxPlace)
	if err != nil {
		return nil, nil, "", err
	}
	f, err := OpenFile(filepath.Join(dir, controlName), os.O_RDONLY)
	if err != nil {
		return nil, nil, "", err
	}
	defer f.Close()
	h, err = format.ReadHeader(bufio.NewReader(f))
	if err != nil {
		return nil, nil, "", err
	}
	raw = make([]byte, h.Size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, h.Size), raw)
	return raw, h, Place(text), err
}
