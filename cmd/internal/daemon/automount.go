package daemon

import (
	"fmt"
	"os"

	"github.com/zsyncfs/zsyncfs/fs"
	"golang.org/x/sys/unix"
)

// autofsType is what the kernel shows for a place where an automount waits for somebody
// to look.
const autofsType = "autofs"

// IsAutomount says whether an automount, and nothing on it, is at dir, an absolute path
// without symbolic links. To open it, or to ask it with statfs, has it mounted.
func IsAutomount(dir string) (bool, error) {
	kind, err := fs.MountType(dir)
	return kind == autofsType, err
}

// OpenAutomount is the path in /proc by which a daemon reaches dir when an automount is
// there; "" otherwise. While systemd mounts it, the kernel has everybody wait there but
// the processes of systemd's own group, of which the helper of mount(8) is one, and a
// daemon is not: it would wait for its own mount. The path holds until release is called.
func OpenAutomount(dir string) (path string, release func(), err error) {
	release = func() {}
	automount, err := IsAutomount(dir)
	if err != nil || !automount || os.Geteuid() != 0 {
		return "", release, err
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0) // without O_DIRECTORY, which mounts
	if err != nil {
		return "", release, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd), func() { unix.Close(fd) }, nil
}
