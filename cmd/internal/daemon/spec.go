package daemon

import (
	"errors"
	"fmt"
	"net/http"
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

	User         string // NAME:PASSWORD
	Netrc        string
	Header       []string // "Name: value"
	CACert       string
	Cert, Key    string
	Insecure     bool
	AllowPrivate bool
	Mirrors      []string

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
	if s.User != "" && !strings.Contains(s.User, ":") {
		return errors.New("the user is not of the form NAME:PASSWORD")
	}
	for _, m := range s.Mirrors {
		if _, err := webURL(m); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
	}
	_, err := s.header()
	return err
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

// header turns the "Name: value" lines into a header.
func (s *Spec) header() (http.Header, error) {
	h := http.Header{}
	for _, line := range s.Header {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("a header is not of the form \"Name: value\"") // not shown: it may be a password
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}

// clientOptions are the options of the mount's HTTP client.
func (s *Spec) clientOptions(userAgent string, warn func(error)) (zsyncclient.Options, error) {
	header, err := s.header()
	if err != nil {
		return zsyncclient.Options{}, err
	}
	o := zsyncclient.Options{
		AllowPrivate: s.AllowPrivate,
		Header:       header,
		Netrc:        s.Netrc,
		CACert:       s.CACert,
		ClientCert:   s.Cert,
		ClientKey:    s.Key,
		Insecure:     s.Insecure,
		UserAgent:    userAgent,
		Warn:         warn,
	}
	if s.User != "" {
		name, password, _ := strings.Cut(s.User, ":")
		o.User = url.UserPassword(name, password)
	}
	for _, typed := range append([]string{s.Source, s.IndexFile}, s.Mirrors...) {
		if u, err := webURL(typed); typed != "" && err == nil {
			o.Origins = append(o.Origins, u)
		}
	}
	return o, nil
}

// mirrors are the parsed Mirrors; Check has seen them.
func (s *Spec) mirrors() []*url.URL {
	var out []*url.URL
	for _, m := range s.Mirrors {
		if u, err := webURL(m); err == nil {
			out = append(out, u)
		}
	}
	return out
}
