package blockstore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

// reconcile makes the index agree with the folders: records of folders that
// are gone are dropped, folders that it does not know are taken in. It returns
// the names of folders to be removed.
func (s *Store) reconcile() (condemned []string, err error) {
	failpoint("recover.index read")
	folders, condemned, err := s.folders()
	if err != nil {
		return nil, err
	}
	var set []entry
	var sum totals
	err = s.index.each(indexVersion, func(name string, value []byte) {
		a, ok := decodeAccount(value)
		if _, there := folders[name]; !there || !ok {
			set = append(set, entry{key: indexVersion + name})
			return
		}
		delete(folders, name)
		s.taken(&sum, a)
	})
	if err != nil {
		return nil, fmt.Errorf("blockstore: read the index: %w", err)
	}
	// Names of whole versions sort before "p-", so a provisional folder finds
	// the key taken when there are both.
	taken := map[Key]bool{}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		a, err := s.adoptFolder(name, taken)
		if err != nil {
			s.options.Warn(fmt.Errorf("blockstore: the folder %s is dropped: %w", name, err))
			gone, err := s.setAside(name)
			if err != nil {
				return nil, err
			}
			condemned = append(condemned, gone)
			continue
		}
		taken[a.key] = true
		set = append(set, keyEntry(a.key, name), accountEntry(name, a))
		s.taken(&sum, a)
		failpoint("recover.adopted")
	}
	s.totals = sum
	if len(set) == 0 {
		return condemned, nil
	}
	if err := s.updateIndex(set); err != nil {
		return nil, err
	}
	failpoint("recover.rebuilt")
	// What cannot be made durable, the next Open finds again.
	_ = s.syncIndex()
	failpoint("recover.synced")
	return condemned, nil
}

// taken adds a version to the totals, and to those who share.
func (s *Store) taken(t *totals, a account) {
	t.versions++
	t.data += a.own
	t.shared += a.data - a.own
	t.disk += a.disk
	for _, owner := range a.owners {
		s.addSharer(owner, a.key)
	}
}

// gone takes a version off the totals.
func (s *Store) gone(a account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals.versions--
	s.totals.data -= a.own
	s.totals.shared -= a.data - a.own
	s.totals.disk -= a.disk
}

// keyTaken reports whether the index knows another folder, which is there, for
// the key of the folder name.
func (s *Store) keyTaken(key Key, name string) bool {
	text, err := s.index.value(keyEntry(key, "").key)
	if err != nil || string(text) == name {
		return false
	}
	if _, _, _, ok := parseName(string(text)); !ok {
		return false
	}
	_, err = os.Lstat(filepath.Join(s.versionsDir(), string(text)))
	return err == nil
}

// folders are the names of the versions' folders, and of those that are to be
// removed.
func (s *Store) folders() (map[string]struct{}, []string, error) {
	d, err := os.OpenFile(s.versionsDir(), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("blockstore: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, nil, fmt.Errorf("blockstore: %w", err)
	}
	folders, condemned := make(map[string]struct{}, len(names)), []string(nil)
	for _, name := range names {
		if _, _, _, ok := parseName(name); ok {
			folders[name] = struct{}{}
		} else if strings.HasPrefix(name, condemnedID) {
			condemned = append(condemned, name)
		}
	}
	return folders, condemned, nil
}

// adoptFolder makes the record of a folder that the index does not know.
// A provisional folder of a key that has a folder already is refused.
func (s *Store) adoptFolder(name string, taken map[Key]bool) (account, error) {
	dir := filepath.Join(s.versionsDir(), name)
	_, key, whole, _ := parseName(name)
	load := loadMeta
	if whole {
		load = s.soundMeta
	}
	meta, err := load(dir)
	if err != nil {
		return account{}, err
	}
	if !whole && meta.key != key {
		return account{}, fmt.Errorf("meta file: %w: of another version", errMeta)
	}
	if !whole && (taken[key] || s.keyTaken(key, name)) {
		return account{}, errors.New("there is a newer folder of this version")
	}
	a := account{key: meta.key, state: meta.state, length: meta.geometry.Length, used: time.Now().Unix()}
	if place, err := ReadFile(filepath.Join(dir, placeName), maxPlace); err == nil {
		a.place = Place(place)
	}
	g := meta.geometry
	if f, err := OpenFile(filepath.Join(dir, knownName), os.O_RDONLY); err == nil {
		if info, err := f.Stat(); err == nil && info.Size() <= pageCount(g.BlockCount())*pageSize {
			known := newBitset(g.BlockCount())
			_ = readKnown(f, known, g.BlockCount(), a.key, nil)
			count := known.count()
			a.own = blockBytes(g, count, count > 0 && known.has(g.BlockCount()-1))
			a.addShared(dir, g, known)
		}
		f.Close()
	}
	a.disk = folderRoom(dir)
	return a, nil
}

// addShared adds what the folder dir tells of blocks in other versions' files to
// those of known, the blocks in its own.
func (a *account) addShared(dir string, g format.Geometry, known *bitset) {
	runs, _ := readShared(dir, a.key, g.BlockCount())
	for _, r := range runs {
		known.set(int64(r.blocks.Start), int64(r.blocks.End))
	}
	a.owners = ownersOf(runs)
	count := known.count()
	a.data = blockBytes(g, count, count > 0 && known.has(g.BlockCount()-1))
}

// usable reports whether the folder path, named by an ID, can be the version
// of key.
func (s *Store) usable(path string, key Key) bool {
	meta, err := s.soundMeta(path)
	return err == nil && meta.key == key
}

// soundMeta reads the meta file in dir, a folder named by an ID. One that is damaged, or
// not there because a kill came before the first checkpoint, is made anew when the
// control file is right.
func (s *Store) soundMeta(dir string) (*versionMeta, error) {
	meta, why := loadMeta(dir)
	if why == nil {
		return meta, nil
	}
	meta, err := rebuildMeta(dir)
	if err == nil && !errors.Is(why, fs.ErrNotExist) {
		s.options.Warn(fmt.Errorf("blockstore: the meta file of the folder %s was damaged and is made anew", filepath.Base(dir)))
	}
	return meta, err
}

// rebuildMeta makes the meta file of a folder named by its ID from the control
// file, when that is whole and right. The state is Provisional.
func rebuildMeta(dir string) (*versionMeta, error) {
	f, err := OpenFile(filepath.Join(dir, controlName), os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := format.ReadHeader(bufio.NewReader(f))
	if err != nil {
		return nil, err
	}
	length := h.ControlLength()
	if info, err := f.Stat(); err != nil || info.Size() != length {
		return nil, errors.Join(errMeta, err)
	}
	place, err := ReadFile(filepath.Join(dir, placeName), maxPlace)
	if err != nil {
		return nil, err
	}
	id, err := hashFile(f, length, Place(place))
	if err != nil {
		return nil, err
	}
	if id.String() != filepath.Base(dir) {
		return nil, fmt.Errorf("control file: %w", errMeta)
	}
	raw := make([]byte, h.Size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, h.Size), raw); err != nil {
		return nil, err
	}
	c := newControlFile(f, length, nil, nil)
	if err := c.rebuild(); err != nil {
		return nil, err
	}
	m := &versionMeta{key: HeaderKey(raw, h, Place(place)), geometry: h.Geometry(), controlLength: length, have: c.have, sums: c.sums}
	return m, replaceFile(filepath.Join(dir, metaName), filepath.Join(dir, metaTempName), m.encode(), true)
}

// setAside renames a folder so that it is no version any more.
func (s *Store) setAside(name string) (string, error) {
	for i := 0; ; i++ {
		gone := condemnedID + strings.TrimPrefix(name, provisionalID) + "-" + strconv.Itoa(i)
		if _, err := os.Lstat(filepath.Join(s.versionsDir(), gone)); err == nil {
			continue
		}
		err := os.Rename(filepath.Join(s.versionsDir(), name), filepath.Join(s.versionsDir(), gone))
		if err != nil {
			return "", writeError("set a folder aside", err)
		}
		return gone, nil
	}
}

// condemn removes the folder of a version that cannot be used, with all that
// the index says about it.
func (s *Store) condemn(name string) error {
	s.options.Warn(fmt.Errorf("blockstore: the folder %s cannot be used and is dropped", name))
	gone, err := s.setAside(name)
	if err != nil {
		return err
	}
	s.gone(s.bookedAccount(name))
	return errors.Join(
		s.index.update([]entry{{key: indexVersion + name}}),
		os.RemoveAll(filepath.Join(s.versionsDir(), gone)))
}

// sweep removes folders that were set aside, until the store is closed.
func (s *Store) sweep(condemned []string) {
	for _, name := range condemned {
		select {
		case <-s.stop:
			return
		default:
		}
		failpoint("recover.sweeps")
		if err := os.RemoveAll(filepath.Join(s.versionsDir(), name)); err != nil {
			s.options.Warn(fmt.Errorf("blockstore: %w", err))
		}
		failpoint("recover.swept")
	}
}
