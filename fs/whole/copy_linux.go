package whole

import (
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
