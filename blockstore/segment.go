package blockstore

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
)

// segment is the data file of one version, as others see it that have runs of
// blocks in it. It stays readable while it is used, whatever becomes of its
// version: the file is open.
type segment struct {
	store *Store
	key   Key // of the version whose data file it is
	f     *dataFile

	uses int // guarded by Store.mu

	mu    sync.Mutex            // a leaf
	users map[*Version]struct{} // open versions that may have runs in it; guarded by mu
}

// errNoSegment: a version that others refer to has no data file any more.
var errNoSegment = errors.New("blockstore: the version that has the bytes is gone")

// segment is the data file of the version key, for one more user; unuse must
// follow. Errors: errNoSegment; the disk's.
func (s *Store) segment(key Key) (*segment, error) {
	s.mu.Lock()
	if g := s.segments[key]; g != nil {
		g.uses++
		s.mu.Unlock()
		return g, nil
	}
	s.mu.Unlock()
	f, err := s.openSegment(key)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.segments[key]; g != nil { // somebody was faster
		f.Close()
		g.uses++
		return g, nil
	}
	g := &segment{store: s, key: key, f: f, uses: 1, users: map[*Version]struct{}{}}
	f.add(g)
	s.segments[key] = g
	return g, nil
}

// openSegment opens the data file of the version key, wherever its folder is.
func (s *Store) openSegment(key Key) (*dataFile, error) {
	const tries = 3 // its folder may be renamed between two looks
	names := []string{provisionalName(key)}
	for range tries {
		if text, err := s.index.value(keyEntry(key, "").key); err == nil {
			if _, _, _, ok := parseName(string(text)); ok {
				names = append([]string{string(text)}, names...)
			}
		}
		for _, name := range names {
			f, err := openDataFile(filepath.Join(s.versionsDir(), name, dataName))
			if err == nil {
				return f, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	return nil, errNoSegment
}

// unuse ends one use of g.
func (s *Store) unuse(g *segment) {
	s.mu.Lock()
	g.uses--
	last := g.uses == 0
	if last && s.segments[g.key] == g {
		delete(s.segments, g.key)
	}
	s.mu.Unlock()
	if last {
		g.f.remove(g)
		g.f.Close()
	}
}

// detachSegment has the next user of key's segment open its file anew: the
// version gets other files. Those who use the old one go on with it. What was
// known of its files is forgotten.
func (s *Store) detachSegment(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.segments, key)
	delete(s.proofs, key)
}

// settleSegment detaches the segment of key unless it is file, which its version has
// now: the folder that was there before could not be used, or somebody replaced it.
func (s *Store) settleSegment(key Key, file *dataFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.segments[key]; g != nil && g.f != file {
		delete(s.segments, key)
	}
}

// addUser and removeUser keep who has runs in g.
func (g *segment) addUser(v *Version) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users[v] = struct{}{}
}

func (g *segment) removeUser(v *Version) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.users, v)
}

// dropUsers has all who refer to bytes r forget the blocks.
func (g *segment) dropUsers(r format.Range) {
	g.mu.Lock()
	users := make([]*Version, 0, len(g.users))
	for v := range g.users {
		users = append(users, v)
	}
	g.mu.Unlock()
	for _, v := range users {
		v.dropShared(g, r)
	}
}
