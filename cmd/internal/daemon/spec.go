package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/fs/target/reuse"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// Spec is what to mount, and how. Paths are absolute.
type Spec struct {
	// Source is the URL of a directory or of one control file; "" with IndexFile.
	Source string
	// IndexFile is the path or URL of a list of control files' URLs.
	IndexFile string
	// Archive is its name in the configuration file; "" when it has none.
	Archive string
	// Dir is the mount point.
	Dir string
	// At is a path of the mount point that whoever asks has opened, in /proc; "": none
	// is needed. See OpenAutomount.
	At string `json:",omitempty"`
	// MakeDir says that the mount point is to be made where it is not there. Whoever
	// asks for the mount does that, with his own rights.
	MakeDir bool

	Refresh, ReadDeadline time.Duration
	AllowOther            bool
	ShareAccess           bool // with AllowOther: although there are credentials
	UID, GID              *uint32
	Umask                 uint32

	// Seeds are files and folders to look for blocks in.
	Seeds []string
	Share reuse.Share
	Fill  target.Fill
	// Strict serves nothing of a file before the whole has been verified.
	Strict bool
	// NoPassthrough has the daemon answer all reads.
	NoPassthrough bool

	// Limits of the store; what is not named stays as it is.
	CacheSize, CacheMinFree *int64

	access.Access

	// NoExec has the kernel run no program of the mount.
	NoExec bool
	// HTTP is the address of the status page; "": it stays where it is.
	HTTP string
	// LogLevel is how much the daemon logs from now on; nil: as before.
	LogLevel *slog.Level
	// Asked is how it was asked for; nil: nobody knows.
	Asked *Asked

	Debug    bool // print every FUSE request
	Profiles bool // profiles of the daemon on its socket, while it lives
}

// ErrSource says that a source is not a URL to mount.
var ErrSource = errors.New("bad source")

// ErrShared says that everybody would see what a server shows only to the user.
var ErrShared = errors.New("--allow-other would let everybody read what the source gives to your credentials only")

// Check finds what is wrong with a spec without a request.
func (s *Spec) Check() error {
	if (s.Source == "") == (s.IndexFile == "") {
		return fmt.Errorf("either a source URL or an index file is needed")
	}
	if s.Source != "" {
		if _, err := access.ParseURL(s.Source); err != nil {
			return fmt.Errorf("%w: %w", ErrSource, err)
		}
	}
	if s.AllowOther && !s.ShareAccess && s.Access.HasCredentials(s.Source, s.IndexFile) {
		return ErrShared
	}
	return s.Access.Check()
}

// Name is the source without what may be secret.
func (s *Spec) Name() string {
	text := s.Source
	if text == "" {
		text = s.IndexFile
	}
	if u, err := access.ParseURL(text); err == nil {
		return zsyncclient.Redact(u)
	}
	return text
}
