package daemon

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// Access is how a source is reached. Paths are absolute.
type Access struct {
	User         string // NAME:PASSWORD
	Netrc        string
	Header       []string // "Name: value"
	CACert       string
	Cert, Key    string
	Insecure     bool
	AllowPrivate bool
	Mirrors      []string
}

// Check finds what is wrong without a request.
func (a *Access) Check() error {
	if a.User != "" && !strings.Contains(a.User, ":") {
		return errors.New("the user is not of the form NAME:PASSWORD")
	}
	for _, m := range a.Mirrors {
		if _, err := webURL(m); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
	}
	_, err := a.header()
	return err
}

// header turns the "Name: value" lines into a header.
func (a *Access) header() (http.Header, error) {
	h := http.Header{}
	for _, line := range a.Header {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("a header is not of the form \"Name: value\"") // not shown: it may be a password
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}

// NewClient is an HTTP client for the URLs that were typed, the mirrors among
// them; those that are none are left out. Close must follow.
func (a *Access) NewClient(userAgent string, warn func(error), typed ...string) (*zsyncclient.Client, error) {
	header, err := a.header()
	if err != nil {
		return nil, err
	}
	o := zsyncclient.Options{
		AllowPrivate: a.AllowPrivate,
		Header:       header,
		Netrc:        a.Netrc,
		CACert:       a.CACert,
		ClientCert:   a.Cert,
		ClientKey:    a.Key,
		Insecure:     a.Insecure,
		UserAgent:    userAgent,
		Warn:         warn,
	}
	if a.User != "" {
		name, password, _ := strings.Cut(a.User, ":")
		o.User = url.UserPassword(name, password)
	}
	for _, one := range append(typed, a.Mirrors...) {
		if u, err := webURL(one); one != "" && err == nil {
			o.Origins = append(o.Origins, u)
		}
	}
	return zsyncclient.New(o)
}

// mirrors are the parsed Mirrors; Check has seen them.
func (a *Access) mirrors() []*url.URL {
	var out []*url.URL
	for _, m := range a.Mirrors {
		if u, err := webURL(m); err == nil {
			out = append(out, u)
		}
	}
	return out
}
