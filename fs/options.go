package fs

import (
	"os"
	"time"
)

// Options of a mount. The zero value works.
type Options struct {
	// Name is shown by df and mount as the source. Default "zsyncfs".
	Name string
	// Refresh is how long the kernel keeps a name. Default 60 s.
	Refresh time.Duration
	// ReadDeadline is when a read that still waits gets EIO. Default 30 s.
	ReadDeadline time.Duration
	// AllowOther lets other users in; the kernel then checks the modes.
	AllowOther bool
	// UID and GID own everything; nil means the process's own.
	UID, GID *uint32
	// Umask is taken off 0444 for files, and 0555 for AppImages and directories. Default 0.
	Umask uint32
	// CacheDir is shown as an attribute of the root, by which commands find the daemon.
	CacheDir string
	// At is a path by which mount(2) reaches the mount point; default: its own.
	At string
	// NoExec has the kernel run no program of the mount.
	NoExec bool
	// StackDepth lets the kernel read complete, verified versions from the block
	// store's files by itself (passthrough), which takes CAP_SYS_ADMIN: 1, or 2 when
	// the store lies on a file system that is stacked on another, such as overlayfs.
	// 0 is never. What the kernel refuses is read as everything else.
	StackDepth int
	// Log is told of every error that a program got, with the path; at most once
	// in 10 s for the same text. Default nobody.
	Log func(path string, err error)
	// Debug prints every FUSE request to standard error.
	Debug bool
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "zsyncfs"
	}
	if o.Refresh <= 0 {
		o.Refresh = time.Minute
	}
	if o.ReadDeadline <= 0 {
		o.ReadDeadline = 30 * time.Second
	}
	if o.UID == nil {
		uid := uint32(os.Geteuid())
		o.UID = &uid
	}
	if o.GID == nil {
		gid := uint32(os.Getegid())
		o.GID = &gid
	}
	if o.Log == nil {
		o.Log = func(string, error) {}
	}
	return o
}

// times are the options that can be changed.
type times struct{ refresh, readDeadline time.Duration }

// SetTimes puts others of these Options in force, for requests from now on. Both must
// be more than 0. Never blocks; may be called at any time.
func (f *FS) SetTimes(refresh, readDeadline time.Duration) {
	f.times.Store(&times{refresh, readDeadline})
}

func (f *FS) refresh() time.Duration      { return f.times.Load().refresh }
func (f *FS) readDeadline() time.Duration { return f.times.Load().readDeadline }
