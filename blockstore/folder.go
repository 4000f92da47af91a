package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrUnsafe says that somebody else could change what is in a store's folder, or where
// it is: he could have his bytes read, and files of the user overwritten.
var ErrUnsafe = errors.New("the folder of the block store is not safe")

// The bits of a mode that let others write, and that let them do anything.
const (
	othersWrite = 0o022
	othersAny   = 0o077
)

// MakeFolder makes the store's folder with mode 0700 when it is not there. One that is
// must be this user's, in folders that only he and root can change; /tmp, where nobody
// can rename what is another's, will do. Options.Warn is told when it had to be closed
// to others. dir must have no symbolic links; see CheckLinks.
//
// Errors: ErrUnsafe, ErrNotStore and ErrFull, wrapped.
func MakeFolder(dir string, o Options) error {
	o = o.withDefaults()
	if err := checkParents(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return writeError("make the store's folder", err)
	}
	if err := checkParents(dir); err != nil { // of folders that were made just now
		return err
	}
	d, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil {
		return err
	}
	if uid := owner(info); uid != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to user %d, not to user %d who uses it", ErrUnsafe, dir, uid, os.Geteuid())
	}
	mode := info.Mode().Perm()
	if mode&othersAny == 0 {
		return nil
	}
	state, err := readFormat(dir, o.Beside)
	if err != nil {
		return err // what is no store is not touched
	}
	if mode&othersWrite != 0 {
		// One that is refused stays as it was: it is refused again the next time.
		if err := checkPlanted(dir); err != nil {
			return err
		}
	}
	if err := d.Chmod(0o700); err != nil {
		return fmt.Errorf("close the store's folder to others: %w", err)
	}
	if mode&othersWrite != 0 { // nobody puts anything there any more
		if err := checkPlanted(dir); err != nil {
			return errors.Join(err, d.Chmod(mode))
		}
	}
	if state == formatNew && mode&othersWrite == 0 {
		return nil // it was just made, as folders are
	}
	o.Warn(fmt.Errorf("blockstore: %s had mode %04o and has 0700 now: it is for its owner alone", dir, mode))
	return nil
}

// own makes this process the owner of the folder. Errors: *LockedError; the disk's.
func (s *Store) own() error {
	lock, err := takeLock(s.dir)
	if err != nil {
		return err
	}
	if s.lockInfo, err = lock.Stat(); err != nil {
		lock.Close()
		return fmt.Errorf("blockstore: %w", err)
	}
	s.lock = lock
	return nil
}

// owns says whether the folder is still the one that was locked: somebody may have
// removed it, and another process may have one of the same name by now. What is
// written by name would be written into that. Errors: ErrGone (wrapped).
func (s *Store) owns() error {
	here, err := os.Lstat(filepath.Join(s.dir, lockName))
	if err == nil && os.SameFile(here, s.lockInfo) {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil // the disk does not tell: what is written next will
	}
	return fmt.Errorf("%w: %s", ErrGone, s.dir)
}

// checkPlanted looks whether others, who could write there, put something into dir: a
// file of theirs, a link to somewhere else, another name of a file that is not the
// store's. What is in its folders was never open to them.
func checkPlanted(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		what := ""
		switch mode := info.Mode(); {
		case owner(info) != os.Geteuid() && owner(info) != 0:
			what = fmt.Sprintf("belongs to user %d", owner(info))
		case mode&fs.ModeSymlink != 0:
			what = "is a symbolic link"
		case mode.IsDir() && mode.Perm()&othersWrite != 0:
			what = "is open to others"
		case mode.IsRegular() && links(info) > 1:
			what = "has another name elsewhere"
		default:
			continue
		}
		return fmt.Errorf("%w: others could write to %s, and %q there %s", ErrUnsafe, dir, e.Name(), what)
	}
	return nil
}

// checkParents looks at the folders that dir lies in, as far as they are there. Groups
// that may write are left to the administrator, as they are in /usr/local and in the
// homes of users with a group of their own.
func checkParents(dir string) error {
	for path := filepath.Dir(dir); ; path = filepath.Dir(path) {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("look at the folders above the store: %w", err)
		case !trustedOwner(owner(info)):
			return fmt.Errorf("%w: %s, which it is in, belongs to user %d", ErrUnsafe, path, owner(info))
		case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
			return fmt.Errorf("%w: everybody can change %s, which it is in", ErrUnsafe, path)
		}
		if path == filepath.Dir(path) {
			return nil
		}
	}
}

// CheckLinks looks at the symbolic links on the way to path, which is absolute. They
// must be this user's or root's, or of whom the folder is that they are in: a link that
// somebody laid in /tmp leads where he likes.
//
// Errors: ErrUnsafe, wrapped.
func CheckLinks(path string) error {
	for range 40 { // the kernel's own limit of links
		link, rest, err := firstLink(path)
		if link == "" || err != nil {
			return err
		}
		to, err := os.Readlink(link)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnsafe, err)
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(link), to)
		}
		path = filepath.Join(to, rest)
	}
	return fmt.Errorf("%w: %s leads from link to link", ErrUnsafe, path)
}

// firstLink is the first symbolic link on the way to path, and the rest of the way
// from there; "" when there is none.
func firstLink(path string) (link, rest string, err error) {
	at := "/"
	names := strings.Split(filepath.Clean(path), "/")[1:]
	for i, name := range names {
		parent, err := os.Lstat(at)
		if err != nil {
			return "", "", nil // what is not there has no links
		}
		at = filepath.Join(at, name)
		info, err := os.Lstat(at)
		if err != nil {
			return "", "", nil
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if uid := owner(info); !trustedOwner(uid) && uid != owner(parent) {
			return "", "", fmt.Errorf("%w: %s is a link to elsewhere that user %d laid", ErrUnsafe, at, uid)
		}
		return at, filepath.Join(names[i+1:]...), nil
	}
	return "", "", nil
}

// trustedOwner says whether what belongs to uid is only changed by whom the user
// trusts anyway. In a user namespace root's folders have the number of users that are
// not known there.
func trustedOwner(uid int) bool {
	return uid == 0 || uid == os.Geteuid() || uid == unknownUser && inUserNamespace()
}

// unknownUser is the kernel's number for users that a user namespace does not know.
const unknownUser = 65534

// inUserNamespace says whether not all users are known here.
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(text)), " ") != "0 0 4294967295"
}

func owner(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

func links(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}
