package whole

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// clone makes out share the blocks of src. It fails where the file system cannot.
func clone(out, src *os.File) error {
	return unix.IoctlFileClone(int(out.Fd()), int(src.Fd()))
}

// copyInKernel copies up to n bytes at off, and returns how many; 0 when the file
// systems cannot do that between them, for whatever reason.
func copyInKernel(out, src *os.File, off, n int64) int64 {
	from, to := off, off
	done, err := unix.CopyFileRange(int(src.Fd()), &from, int(out.Fd()), &to, int(n), 0)
	if err != nil {
		return 0
	}
	return int64(max(done, 0))
}

// nextData is the next stretch of src from off on that is no hole, within limit.
// Without any, both are limit.
func nextData(src *os.File, off, limit int64) (start, end int64) {
	start, err := src.Seek(off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return limit, limit
	case err != nil:
		return off, limit // it cannot tell
	case start >= limit:
		return limit, limit
	}
	if end, err = src.Seek(start, unix.SEEK_HOLE); err != nil {
		return start, limit
	}
	return start, min(end, limit)
}
