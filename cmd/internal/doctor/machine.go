package doctor

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
)

// Machine looks whether this machine and user can mount.
func (r *Report) Machine() {
	r.device()
	r.helper()
	r.kernel()
}

func (r *Report) device() {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	switch {
	case err == nil:
		f.Close()
		r.ok(AboutMachine, "/dev/fuse can be opened")
	case errors.Is(err, os.ErrNotExist):
		r.bad(AboutMachine, "as root: modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN", "there is no /dev/fuse: %w", err)
	default:
		r.bad(AboutMachine, "as root: chmod 666 /dev/fuse, which is how most systems have it", "%w", err)
	}
}

func (r *Report) helper() {
	path, err := exec.LookPath("fusermount3")
	root := os.Geteuid() == 0
	switch {
	case err == nil:
		info, serr := os.Stat(path)
		if serr == nil && !root && info.Mode()&os.ModeSetuid == 0 {
			r.bad(AboutMachine, "as root: chmod u+s "+path, "%s is not set-user-ID root, so that only root can mount", path)
			break
		}
		r.ok(AboutMachine, "%s is there", path)
	case root:
		r.note(AboutMachine, "on Debian and Ubuntu: apt-get install fuse3", "fusermount3 is not installed; root can do without")
	default:
		r.bad(AboutMachine, "on Debian and Ubuntu: apt-get install fuse3", "fusermount3 is not installed: %w", err)
	}
	switch {
	case root:
	case allowsOther():
		r.ok(AboutMachine, "--allow-other is permitted to ordinary users (user_allow_other in /etc/fuse.conf)")
	default:
		r.note(AboutMachine, "put a line user_allow_other into /etc/fuse.conf, where others are to see what you mount", "--allow-other is not permitted to ordinary users, so that root cannot read your mounts either (mount -o loop)")
	}
}

// allowsOther says whether fuse.conf has user_allow_other.
func allowsOther() bool {
	f, err := os.Open("/etc/fuse.conf")
	if err != nil {
		return false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.TrimSpace(s.Text()) == "user_allow_other" {
			return true
		}
	}
	return false
}

// passthroughSince is the first version of Linux with passthrough.
const passthroughMajor, passthroughMinor = 6, 9

func (r *Report) kernel() {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	fmt.Sscanf(release, "%d.%d", &major, &minor)
	newer := major > passthroughMajor || major == passthroughMajor && minor >= passthroughMinor
	switch {
	case newer && os.Geteuid() == 0:
		r.ok(AboutMachine, "Linux %s reads complete files by itself (passthrough), as root mounts", release)
	case newer:
		r.note(AboutMachine, "mounts of root are faster with complete files: sudo zsyncfs mount --allow-other", "Linux %s can read complete files by itself (passthrough), but for mounts of root only", release)
	default:
		r.note(AboutMachine, "complete files are read by the kernel itself from Linux 6.9 on", "Linux %s has no passthrough: the daemon answers all reads", release)
	}
}

// leastRoom is what a cache wants at least, in bytes.
const leastRoom = 256 << 20

// Cache looks at the folder of the block store.
func (r *Report) Cache(dir string) {
	if err := blockstore.CheckLinks(dir); err != nil {
		r.bad(AboutCache, "choose another with --cache-dir", "%w", err)
		return
	}
	at := dir
	for {
		if _, err := os.Stat(at); err == nil || at == "/" {
			break
		}
		at = filepath.Dir(at)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		r.bad(AboutCache, "choose another with --cache-dir", "%s: %w", dir, err)
		return
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		r.bad(AboutCache, "choose another with --cache-dir, or make that file system writable", "%s lies on a file system that is read-only", dir)
		return
	}
	if err := unix.Access(at, unix.W_OK); err != nil {
		r.bad(AboutCache, "choose another with --cache-dir, or have root make it: install -d -o \"$USER\" -m 700 "+dir, "%s cannot be written: %w", at, err)
		return
	}
	free := int64(st.Bavail) * st.Bsize
	switch {
	case free < leastRoom:
		r.bad(AboutCache, "make room, or choose another disk with --cache-dir", "%s: only %s are free", dir, words.Size(free))
	case st.Files > 0 && st.Ffree < 1000:
		r.bad(AboutCache, "remove files, or choose another disk with --cache-dir", "%s: only %d inodes are free (df -i)", dir, st.Ffree)
	default:
		r.ok(AboutCache, "%s: %s are free, of which a fifth is used unless --cache-size says otherwise", dir, words.Size(free))
	}
	if st.Type == unix.TMPFS_MAGIC {
		r.note(AboutCache, "--cache-dir names a folder on a disk", "%s lies in memory (tmpfs): it is gone after the next start", dir)
	}
	if st.Type == unix.OVERLAYFS_SUPER_MAGIC {
		r.note(AboutCache, "mount a volume there", "%s lies on overlayfs, as in a container: it may go with the container", dir)
	}
}
