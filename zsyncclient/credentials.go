package zsyncclient

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/jdx/go-netrc"
)

// maxNetrcSize bounds the netrc file, in bytes.
const maxNetrcSize = 1 << 20

// credentials knows the origins and what is sent to them. Safe for concurrent use.
type credentials struct {
	user   *url.Userinfo
	header http.Header
	cert   bool         // there is a client certificate
	netrc  *netrc.Netrc // nil: none

	mu     sync.Mutex
	origin map[string]origin // by originKey; guarded by mu
	dial   map[string]bool   // hostPort; guarded by mu
}

// origin is a scheme, host and port that the user named.
type origin struct {
	own    *url.Userinfo // from the URL; may be nil
	source bool          // it gets what is for the source; else only what names it
}

func newCredentials(o Options) (*credentials, error) {
	c := &credentials{user: o.User, header: o.Header.Clone(), cert: o.ClientCert != "",
		origin: map[string]origin{}, dial: map[string]bool{}}
	if o.Netrc != "" {
		n, err := readNetrc(o.Netrc)
		if err != nil {
			return nil, fmt.Errorf("netrc file: %w", err)
		}
		c.netrc = n
	}
	for _, u := range o.Origins {
		c.add(u, true)
	}
	for _, u := range o.Mirrors {
		c.add(u, false)
	}
	return c, nil
}

func (c *credentials) add(u *url.URL, source bool) {
	if u == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := originKey(u)
	known := c.origin[key]
	if u.User != nil {
		known.own = u.User
	}
	known.source = known.source || source
	c.origin[key] = known
	c.dial[hostPort(u)] = true
}

// mayDial says whether the user named u's host and port.
func (c *credentials) mayDial(u *url.URL) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dial[hostPort(u)]
}

// of is what is known of u's origin; false when the user did not name it.
func (c *credentials) of(u *url.URL) (origin, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.origin[originKey(u)]
	return o, ok
}

// isSource says whether u is of the source: scheme, host and port.
func (c *credentials) isSource(u *url.URL) bool {
	o, _ := c.of(u)
	return o.source
}

// apply sets what u's origin is to get; nothing for any other URL.
func (c *credentials) apply(u *url.URL, h http.Header) {
	o, ok := c.of(u)
	if !ok {
		return
	}
	if o.source {
		for name, values := range c.header {
			h[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
		}
	}
	if h.Get("Authorization") != "" && o.own == nil {
		return
	}
	login, password, ok := c.login(o, u.Hostname())
	if ok {
		r := http.Request{Header: h}
		r.SetBasicAuth(login, password)
	}
}

// name is who u's origin is told that we are: a login name, "*" for what a header of
// the user's or a client certificate says, "" for nobody.
func (c *credentials) name(u *url.URL) string {
	o, ok := c.of(u)
	if !ok {
		return ""
	}
	if o.source && c.header.Get("Authorization") != "" && o.own == nil {
		return "*"
	}
	if login, _, _ := c.login(o, u.Hostname()); login != "" {
		return login
	}
	if o.source && (len(c.header) > 0 || c.cert) {
		return "*"
	}
	return ""
}

func (c *credentials) login(o origin, host string) (login, password string, ok bool) {
	own := o.own
	if own == nil && o.source {
		own = c.user
	}
	if own != nil {
		password, _ = own.Password()
		return own.Username(), password, true
	}
	if c.netrc == nil {
		return "", "", false
	}
	m := c.netrc.Machine(host)
	if m == nil || m.IsDefault {
		if !o.source {
			return "", "", false // it was not named
		}
		m = c.netrc.Machine("default")
	}
	if m == nil || m.Get("login") == "" {
		return "", "", false
	}
	return m.Get("login"), m.Get("password"), true
}

// readNetrc reads a netrc file. Lines of comment are cut before parsing: the
// parser counts their words as entries.
func readNetrc(path string) (n *netrc.Netrc, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxNetrcSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxNetrcSize {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxNetrcSize)
	}
	// The parser runs over the end of a file that stops after "machine".
	defer func() {
		if recover() != nil {
			n, err = nil, fmt.Errorf("%s: not a netrc file", path)
		}
	}()
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			kept = append(kept, line)
		}
	}
	return netrc.ParseString(strings.TrimSpace(strings.Join(kept, "")) + "\n")
}
