package daemon

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// Spec is what to mount, and how. Paths are absolute.
type Spec struct {
	// Source is the URL of a directory or of one control file; "" with IndexFile.
	Source string
	// IndexFile is the path or URL of a list of control files' URLs.
	IndexFile string
	// Dir is the mount point.
	Dir string

	Refresh, ReadDeadline time.Duration
	AllowOther            bool
	UID, GID              *uint32
	Umask                 uint32

	Access

	Debug bool // print every FUSE request
}

// ErrSource says that a source is not a URL to mount.
var ErrSource = errors.New("bad source")

// Check finds what is wrong with a spec without a request.
func (s *Spec) Check() error {
	if (s.Source == "") == (s.IndexFile == "") {
		return fmt.Errorf("either a source URL or an index file is needed")
	}
	if s.Source != "" {
		if _, err := webURL(s.Source); err != nil {
			return fmt.Errorf("%w: %w", ErrSource, err)
		}
	}
	return s.Access.Check()
}

// name is the source without what may be secret.
func (s *Spec) name() string {
	text := s.Source
	if text == "" {
		text = s.IndexFile
	}
	if u, err := webURL(text); err == nil {
		return zsyncclient.Redact(u)
	}
	return text
}

// webURL parses an http or https URL with a host.
func webURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if strings.Contains(s, "@") {
		s = "it" // there may be a password in it
	} else {
		s = strconv.Quote(s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not a URL", s)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%s is not an http or https URL", s)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s names no host", s)
	}
	return u, nil
}
