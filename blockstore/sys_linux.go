package blockstore

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenFile opens a file of a store, or of what lies beside it: a regular one, not
// through a symbolic link, and without waiting for the other end of a pipe. Errors:
// ErrIrregular, wrapped, where something else has its name; those of os.OpenFile.
func OpenFile(path string, flags int) (*os.File, error) {
	flags |= unix.O_NOFOLLOW | unix.O_CLOEXEC
	f, err := os.OpenFile(path, flags|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.EWOULDBLOCK) { // a lease is being given back: none but regular files have one
		f, err = os.OpenFile(path, flags, 0o600)
	}
	switch {
	case err == nil:
		info, err := f.Stat()
		if err == nil && info.Mode().IsRegular() {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EISDIR):
		// A link; a socket, or a pipe that nobody reads; a folder.
	default:
		return nil, err
	}
	return nil, &os.PathError{Op: "open", Path: path, Err: ErrIrregular}
}

// fdatasync makes f's bytes, and what is needed to read them, durable.
func fdatasync(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	ctlErr := raw.Control(func(fd uintptr) {
		for {
			if err = unix.Fdatasync(int(fd)); err != unix.EINTR {
				return
			}
		}
	})
	if ctlErr != nil {
		return ctlErr
	}
	if err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// tryLock takes the whole-file lock of f without waiting.
func tryLock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// unlock ends a lock of tryLock.
func unlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }

func lockedByOther(err error) bool { return err == unix.EWOULDBLOCK }

// diskBytes is how much room f takes up on the disk; 0 when that is unknown.
func diskBytes(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return 0
}

func freeBytes(dir string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0
	}
	return int64(st.Bavail) * st.Bsize
}
