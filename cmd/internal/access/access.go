package access

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
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
	// LimitRate bounds what all answers together take, in bytes a second; 0: no
	// limit.
	LimitRate int64
}

// Check finds what is wrong without a request.
func (a *Access) Check() error {
	if a.User != "" && !strings.Contains(a.User, ":") {
		return errors.New("the user is not of the form NAME:PASSWORD")
	}
	for _, m := range a.Mirrors {
		if _, err := ParseURL(m); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
	}
	_, err := ParseHeader(a.Header)
	return err
}

// HasCredentials says whether the source is told who asks, by any of the options or by
// a login in a URL that was typed. What a query is for nobody can tell.
func (a *Access) HasCredentials(typed ...string) bool {
	return a.HasPassword(typed...) || a.Netrc != "" || a.Cert != "" || a.Key != ""
}

// HasPassword says whether a password, or what may be one, is among the options
// themselves or in a URL that was typed.
func (a *Access) HasPassword(typed ...string) bool {
	for _, u := range append(ParseURLs(typed), a.MirrorURLs()...) {
		if u.User != nil {
			return true
		}
	}
	return a.User != "" || len(a.Header) > 0
}

// NewClient is an HTTP client for the URLs that were typed, the mirrors among
// them; those that are none are left out. Close must follow. ctx ends the reading of
// the files that a names.
func (a *Access) NewClient(ctx context.Context, userAgent string, warn func(error), typed ...string) (*zsyncclient.Client, error) {
	header, err := ParseHeader(a.Header)
	if err != nil {
		return nil, err
	}
	o := zsyncclient.Options{
		Origins:      ParseURLs(typed),
		Mirrors:      a.MirrorURLs(),
		AllowPrivate: a.AllowPrivate,
		Header:       header,
		Netrc:        a.Netrc,
		CACert:       a.CACert,
		ClientCert:   a.Cert,
		ClientKey:    a.Key,
		Insecure:     a.Insecure,
		UserAgent:    userAgent,
		LimitRate:    a.LimitRate,
		Warn:         warn,
	}
	if a.User != "" {
		name, password, _ := strings.Cut(a.User, ":")
		o.User = url.UserPassword(name, password)
	}
	return signals.Await(ctx, func() (*zsyncclient.Client, error) { return zsyncclient.New(o) })
}

// MirrorURLs are the parsed Mirrors; Check tells of those that are none.
func (a *Access) MirrorURLs() []*url.URL { return ParseURLs(a.Mirrors) }
