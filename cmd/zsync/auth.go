package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
)

// origins are the URLs of the command line, with the credentials of -A in them:
// the client sends those to exactly that scheme, host and port. What is for the
// source does not go to mirrors.
func (o *options) origins(typed *url.URL) (list, mirrors []*url.URL, err error) {
	if typed != nil {
		list = append(list, typed)
	}
	for _, text := range o.auth {
		u, err := parseAuth(text, typed)
		if err != nil {
			return nil, nil, usageError(err, "the form is -A HOST=USER:PASSWORD")
		}
		list = append(list, u)
	}
	for _, text := range o.mirrors {
		u, err := access.ParseURL(text)
		if err != nil {
			return nil, nil, usageError(fmt.Errorf("--mirror: %w", err), "")
		}
		mirrors = append(mirrors, u)
	}
	return list, mirrors, nil
}

// parseAuth reads "HOST=USER:PASSWORD", where HOST may be "https://host:8443". A
// part that HOST leaves open is that of typed: its scheme, and its port if it is
// the same host.
func parseAuth(text string, typed *url.URL) (*url.URL, error) {
	host, login, ok := strings.Cut(text, "=")
	user, password, ok2 := strings.Cut(login, ":")
	if !ok || !ok2 || host == "" || user == "" {
		// The text may hold a password: it is not repeated.
		return nil, errors.New("-A lacks a host, a user or a password")
	}
	scheme := "http"
	if typed != nil {
		scheme = strings.ToLower(typed.Scheme)
	}
	if s, rest, ok := strings.Cut(host, "://"); ok {
		scheme, host = strings.ToLower(s), rest
	}
	u := &url.URL{Scheme: scheme, Host: strings.TrimSuffix(host, "/")}
	if scheme != "http" && scheme != "https" || u.Hostname() == "" || strings.ContainsAny(u.Host, "/@ ") {
		return nil, fmt.Errorf("-A: %q is no host", host)
	}
	if u.Port() == "" && typed != nil && strings.EqualFold(u.Hostname(), typed.Hostname()) && scheme == strings.ToLower(typed.Scheme) {
		u.Host = typed.Host
	}
	u.User = url.UserPassword(user, password)
	return u, nil
}

// netrcPath is the netrc file to use; "" for none.
func (o *options) netrcPath() string {
	if o.netrc != "" {
		return o.netrc
	}
	path := os.Getenv("NETRC")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		path = filepath.Join(home, ".netrc")
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}
