//go:build linux || darwin || freebsd

package sparse

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// next asks for the first extent at or after off; false when the file system does
// not tell.
func next(f *os.File, off int64) (start, end int64, ok bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, 0, false
	}
	var seekErr error
	err = raw.Control(func(fd uintptr) {
		start, seekErr = unix.Seek(int(fd), off, unix.SEEK_DATA)
		if seekErr == nil {
			end, seekErr = unix.Seek(int(fd), start, unix.SEEK_HOLE)
		}
	})
	switch {
	case err == nil && seekErr == nil:
		return start, end, true
	case err == nil && errors.Is(seekErr, unix.ENXIO):
		// Nothing but a hole is left, or off lies beyond the end: the caller looks
		// at no byte beyond it.
		return math.MaxInt64 - 1, math.MaxInt64, true
	}
	return 0, 0, false
}
