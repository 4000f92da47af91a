package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/zsyncfs/zsyncfs/format"
	"golang.org/x/sys/unix"
)

// shownName is a file of a version's folder that says that the data file was given
// to the kernel (ShowData), and in which boot of the machine.
const shownName = "shown"

// ErrUnchecked says that some block was not held against its record since the store
// was opened, or is not on the disk yet.
var ErrUnchecked = errors.New("blockstore: not every block was checked, and is on the disk")

// ShowData is OpenData of a file as long as the target for the kernel to serve reads from the file by itself (FUSE
// passthrough). Programs may map the file into memory then, and such maps outlive
// Close, this process and its next one: until the machine is started again, the
// bytes of the file are given back only when nobody has it, or by removing it.
//
// Errors: ErrUnchecked, also of a file of another length; ErrInUse when blocks are being moved just now; those of
// OpenData. Safe for concurrent use.
func (v *Version) ShowData() (*Data, error) {
	if v.nowhere {
		return nil, ErrUnknownBlock
	}
	if !v.IsChecked() || !v.IsDurable() {
		return nil, ErrUnchecked
	}
	// What the disk does not give, this process can fetch, and the kernel cannot.
	if v.store.isFailing() {
		return nil, ErrUnchecked
	}
	// Who opens a file must not wait for blocks that are being moved.
	if !v.store.moving.TryRLock() {
		return nil, ErrInUse
	}
	unpin := v.store.addPin(v.key)
	v.store.moving.RUnlock()
	f, err := v.openData()
	if err != nil {
		unpin()
		return nil, err
	}
	data := &Data{File: f, unpin: unpin}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Size() != v.header.Length:
		err = ErrUnchecked // the kernel goes by the end of the file
	case diskBytes(info) < info.Size() && inMemory(f):
		// A page of a map that is a hole takes room there when it is read, and without
		// any ends the program that reads it (SIGBUS).
		err = ErrUnchecked
	default:
		if _, err = f.ReadAt(make([]byte, min(diskPage, v.header.Length)), 0); err == nil {
			err = v.noteShown()
		}
	}
	if err != nil {
		v.store.trouble(notNow(err))
		data.Close()
		return nil, err
	}
	return data, nil
}

// notNow is err, unless that only says that a file cannot be shown just now.
func notNow(err error) error {
	if errors.Is(err, ErrUnchecked) {
		return nil
	}
	return err
}

// IsChecked says whether every block is here and was held against its record since
// the store was opened.
func (v *Version) IsChecked() bool {
	if v.nowhere {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.table.count == v.table.blocks && v.table.checked.next(false, 0, v.table.blocks) == v.table.blocks
}

// IsDurable says whether the bytes of all blocks that are here are on the disk. When a
// file system ends for good, reads past its memory give zeros for what was not.
func (v *Version) IsDurable() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.unsynced == 0 && !v.syncing
}

// Unchecked is the first run of blocks from b on that are here and were not held
// against their records since the store was opened; empty when there is none.
func (v *Version) Unchecked(b format.BlockID) format.BlockRange {
	if v.nowhere {
		return format.BlockRange{}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.table
	for at := int64(b); at < t.blocks; {
		start := t.checked.next(false, at, t.blocks)
		end := t.checked.next(true, start, t.blocks)
		first := t.here.next(true, start, end)
		if first < end {
			return format.BlockRange{Start: format.BlockID(first), End: format.BlockID(t.here.next(false, first, end))}
		}
		at = end
	}
	return format.BlockRange{}
}

// noteShown has the folder say that the data file was shown. The maps of a kernel
// end with it, so nothing needs to be durable.
func (v *Version) noteShown() error {
	v.folder.Lock()
	defer v.folder.Unlock()
	if v.parts == nil {
		return ErrClosed
	}
	path := filepath.Join(v.path(), shownName)
	if isShown(v.path()) {
		return nil
	}
	if err := removeOdd(path); err != nil {
		return fmt.Errorf("blockstore: %w", err)
	}
	if err := os.WriteFile(path, bootID(), 0o600); err != nil {
		return writeError("note that a file is shown", err)
	}
	return nil
}

// inMemory says whether f lies on a tmpfs.
func inMemory(f *os.File) bool {
	var st unix.Statfs_t
	err := unix.Fstatfs(int(f.Fd()), &st)
	return err == nil && st.Type == unix.TMPFS_MAGIC
}

// isShown says whether the data file in the folder dir was shown since the machine
// was started.
func isShown(dir string) bool {
	text, err := ReadFile(filepath.Join(dir, shownName), 256)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return err != nil || bytes.Equal(text, bootID())
}

// bootID tells the boots of the machine apart. Where it cannot be had, all are one.
func bootID() []byte {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return text
}

// mapped says whether the data file of key was shown and somebody else has it open
// or in memory. It needs moving: nobody begins to show a file then.
func (s *Store) mapped(key Key) bool {
	// findFolder drops or mends what is damaged, so nobody may be loading or
	// closing the version meanwhile.
	e := s.lockSlot(key)
	defer s.leaveSlot(key, e)
	defer e.opening.Unlock()
	if v := e.version.Load(); v != nil && !s.discarded(v) {
		v.folder.Lock()
		defer v.folder.Unlock()
		if v.parts != nil {
			return isShown(v.path()) && !onlyOurs(v.parts.data.File)
		}
	}
	name, err := s.findFolder(key)
	if err != nil || name == "" || !isShown(filepath.Join(s.versionsDir(), name)) {
		return false
	}
	data, err := openDataFile(filepath.Join(s.versionsDir(), name, dataName))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer data.Close()
	return !onlyOurs(data.File)
}

// onlyOurs says whether nobody has the file of f open or in memory but by f. The
// kernel grants a write lease in no other case. It cannot tell where the bytes of a
// file lie in another one (overlayfs), for a map is of that.
func onlyOurs(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || st.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return false
	}
	if _, err := unix.FcntlInt(f.Fd(), syscall.F_SETLEASE, syscall.F_WRLCK); err != nil {
		return false
	}
	_, err := unix.FcntlInt(f.Fd(), syscall.F_SETLEASE, syscall.F_UNLCK)
	return err == nil
}
