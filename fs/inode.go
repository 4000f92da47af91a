package fs

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// attrTimeout is how long the kernel may keep attributes: those of a node
// never change.
const attrTimeout = time.Hour

// inodeNumber is the number of the file or directory at path; version is the
// header's bytes, nil for a directory and for a file whose header is not known.
func inodeNumber(path string, version []byte) uint64 {
	h := sha256.New()
	h.Write([]byte(path))
	h.Write([]byte{0})
	h.Write(version)
	n := binary.BigEndian.Uint64(h.Sum(nil)) >> 1 // numbers from 2^63 on are go-fuse's own
	return max(n, 2)                              // 0 is none and 1 is the root
}

// fileNumber is the inode number of the artifact at path with this control file.
func fileNumber(path string, ctl *zsyncclient.Control) uint64 {
	return inodeNumber(path, ctl.Raw)
}

// modified is the time to show for an artifact: the header's, else the control
// file's own on its server, else 1970.
func modified(ctl *zsyncclient.Control) time.Time {
	if t := ctl.Header.MTime; !t.IsZero() {
		return t
	}
	if t, err := http.ParseTime(ctl.Validators.LastModified); err == nil {
		return t
	}
	return time.Unix(0, 0)
}

// fileMode is the permissions of the artifact at path. Control files tell none, so what
// is a program is known by its name.
func fileMode(path string) uint32 {
	if strings.EqualFold(filepath.Ext(path), ".appimage") {
		return 0o555
	}
	return 0o444
}

// fileAttr fills out for the artifact of ctl at path.
func (f *FS) fileAttr(path string, ctl *zsyncclient.Control, out *fuse.Attr) {
	out.Mode = fuse.S_IFREG | fileMode(path)&^f.options.Umask
	out.Nlink = 1
	out.Size = uint64(ctl.Header.Length)
	out.Blocks = (out.Size + 511) / 512
	out.Blksize = 128 << 10
	f.ownedAt(modified(ctl), out)
}

// dirAttr fills out for a directory.
func (f *FS) dirAttr(out *fuse.Attr) {
	out.Mode = fuse.S_IFDIR | 0o555&^f.options.Umask
	out.Nlink = 2
	f.ownedAt(f.started, out)
}

func (f *FS) ownedAt(t time.Time, out *fuse.Attr) {
	out.SetTimes(nil, &t, &t)
	out.Owner = fuse.Owner{Uid: *f.options.UID, Gid: *f.options.GID}
}
