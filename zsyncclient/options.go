package zsyncclient

import (
	"net/http"
	"net/url"
	"runtime/debug"
	"time"
)

// Options for New. The zero value works.
type Options struct {
	// Origins are URLs that the user typed. Their host and port may lie in
	// private or loopback address ranges, and only they (scheme, host and port)
	// get credentials and Header. User information in them is used for them.
	Origins []*url.URL
	// Mirrors are URLs that the user typed as well, of others than the source: they
	// may lie in those ranges too, but get no credentials except what is in their own
	// URL or is under their host's name in Netrc.
	Mirrors []*url.URL
	// AllowPrivate lets control files, listings and redirects lead to loopback,
	// private and link-local addresses.
	AllowPrivate bool
	// User and Password (basic) and Header are sent to Origins only. User
	// information in an origin's own URL goes before User.
	User   *url.Userinfo
	Header http.Header
	// Netrc is a netrc file's path, looked up by host for Origins and Mirrors that have
	// no other credentials, its default login for Origins only; "" means none.
	Netrc string
	// CACert, ClientCert, ClientKey are PEM files' paths. CACert is used beside
	// the system's certificates. The client certificate is shown to Origins only.
	CACert, ClientCert, ClientKey string
	// Insecure turns the checks of TLS certificates off.
	Insecure bool
	// UserAgent is sent with every request; default "zsyncfs/VERSION".
	UserAgent string
	// StallTimeout: no byte for so long is a failed try. It also bounds the
	// time from the start of a request to its header. Default 15 s.
	StallTimeout time.Duration
	// MaxConnsPerHost bounds the requests under way for one host. Two of them
	// are kept for control files and listings. Default 8, at most 256; with 1 or
	// 2, one more may be under way.
	MaxConnsPerHost int
	// LimitRate bounds what the bodies of all answers take together, those of
	// control files and listings among them, in bytes/s: over any time, so many for
	// it and for an eighth of a second more. Background fetches get what the others
	// leave. 0, or less: no limit.
	LimitRate int64
	// Warn is told what a person should know (a source banned and why ...), at
	// most once per fact. It must not call the Client. Default: nobody.
	Warn func(err error)
}

const (
	defaultStallTimeout = 15 * time.Second
	defaultMaxConns     = 8
	maxMaxConns         = 256
)

// withDefaults is o with every zero field replaced by its default.
func (o Options) withDefaults() Options {
	if o.StallTimeout <= 0 {
		o.StallTimeout = defaultStallTimeout
	}
	if o.MaxConnsPerHost <= 0 {
		o.MaxConnsPerHost = defaultMaxConns
	}
	o.LimitRate = max(o.LimitRate, 0)
	o.MaxConnsPerHost = min(o.MaxConnsPerHost, maxMaxConns)
	if o.UserAgent == "" {
		o.UserAgent = "zsyncfs/" + moduleVersion()
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}

// moduleVersion is the version that the program was built as.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
