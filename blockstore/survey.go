package blockstore

import (
	"os"
	"path/filepath"
)

// versionFiles are the files of a version that are booked.
var versionFiles = []string{controlName, dataName, knownName, metaName, sharedName, placeName, manifestName}

// folderRoom is how much room the files of the version's folder dir take.
func folderRoom(dir string) (n int64) {
	for _, file := range versionFiles {
		if info, err := os.Lstat(filepath.Join(dir, file)); err == nil {
			n += diskBytes(info)
		}
	}
	return n
}

// survey books what versions take on the disk where the index says something else, until
// the store is closed: a process that was killed had written more than its last checkpoint
// told. Else a store would grow beyond its limit from crash to crash. It takes a few
// microseconds for each version.
func (s *Store) survey() {
	booked := map[string]account{}
	_ = s.index.each(indexVersion, func(name string, value []byte) {
		if a, ok := decodeAccount(value); ok {
			booked[name] = account{key: a.key, disk: a.disk}
		}
	})
	for name, a := range booked {
		if s.stopped() {
			return
		}
		if folderRoom(filepath.Join(s.versionsDir(), name)) != a.disk {
			s.rebook(a.key, name)
		}
	}
	s.wakeEvictor()
}

// rebook books what the version of key, in the folder name, takes. One that is open has
// done so by itself.
func (s *Store) rebook(key Key, name string) {
	e := s.lockSlot(key)
	defer s.leaveSlot(key, e)
	defer e.opening.Unlock()
	a := s.bookedAccount(name)
	if e.version.Load() != nil || a.key != key {
		return
	}
	now := a
	now.disk = folderRoom(filepath.Join(s.versionsDir(), name))
	s.book(&a, now, 0)
	_ = s.index.update([]entry{accountEntry(name, now)}) // without it the next survey finds it again
}
