package whole

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// beside is a new file in the folder of another, whose place it is going to
// take. It is locked until release, so that others can tell it from one that a
// killed process left. A file system without locks has such leftovers for ever.
type beside struct {
	*os.File
	lock *os.File // the same open file, which keeps the lock when File is closed
}

// makeBeside makes a file in the folder of path, with a name like it, that nobody may read
// who may not read what has the permissions mode. Those that
// killed processes left of the same path are removed before, for each may be as
// large as the target.
func makeBeside(path string, mode fs.FileMode) (*beside, error) {
	const tries = 100
	dir, name := filepath.Split(path)
	prefix := "." + name[:min(len(name), 200)] + "." // a name has at most 255 bytes
	removeLeft(dir, prefix)
	for try := 1; ; try++ {
		out, err := createLocked(filepath.Join(dir, prefix+randomPart()+besideSuffix), mode)
		if err == nil || try == tries || !errors.Is(err, fs.ErrExist) && !errors.Is(err, errTaken) {
			return out, err
		}
	}
}

const (
	besideSuffix = ".part"
	besideDigits = 13
)

// randomPart is what tells one file of makeBeside from another: besideDigits
// digits of base 36. The first is never more than 3, since a number has 64 bits.
func randomPart() string {
	s := strconv.FormatUint(rand.Uint64(), 36)
	return strings.Repeat("0", besideDigits-len(s)) + s
}

// isRandomPart says whether randomPart may have made s. Hardly anything else does:
// a file of somebody's own, such as .NAME.tar.part, must not be removed.
func isRandomPart(s string) bool {
	return len(s) == besideDigits && s[0] >= '0' && s[0] <= '3' &&
		strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

// errTaken: somebody who looked for leftovers came between a file's making and
// its lock.
var errTaken = errors.New("it is taken away")

// createLocked makes and locks the file at path. Errors: errTaken; fs.ErrExist.
func createLocked(path string, mode fs.FileMode) (*beside, error) {
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode&0o666|0o200)
	if err != nil {
		return nil, err
	}
	b := &beside{File: out}
	if err = b.hold(); err != nil {
		b.release()
		out.Close()
		os.Remove(path)
		return nil, err
	}
	return b, nil
}

// hold locks the file.
func (b *beside) hold() error {
	fd, err := unix.FcntlInt(b.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("dup", err)
	}
	b.lock = os.NewFile(uintptr(fd), b.Name())
	if errors.Is(tryLock(b.lock), unix.EWOULDBLOCK) {
		return errTaken
	}
	mine, err := b.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Lstat(b.Name()); err != nil || !os.SameFile(mine, named) {
		return errTaken
	}
	return nil
}

// release ends the lock; the file must be closed too.
func (b *beside) release() {
	if b.lock != nil {
		b.lock.Close()
	}
}

// removeLeft removes the files in dir whose names begin with prefix, as those of
// makeBeside do, and that nobody holds. Errors are no reason not to go on: at
// worst a file stays.
func removeLeft(dir, prefix string) {
	if dir == "" {
		dir = "."
	}
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1000)
		for _, name := range names {
			middle, isOurs := strings.CutPrefix(name, prefix)
			middle, hasEnd := strings.CutSuffix(middle, besideSuffix)
			if isOurs && hasEnd && isRandomPart(middle) {
				removeFree(filepath.Join(dir, name))
			}
		}
		if err != nil || len(names) == 0 {
			return
		}
	}
}

// removeFree removes the regular file at path unless somebody has it locked, or
// nobody could tell.
func removeFree(path string) {
	// Neither through a link nor waiting for the other end of a pipe.
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || tryLock(f) != nil {
		return
	}
	_ = os.Remove(path)
}

// tryLock takes f for as long as it is open. unix.EWOULDBLOCK: somebody has it.
func tryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
