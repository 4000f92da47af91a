package zsyncclient

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ask is one GET.
type ask struct {
	url    *url.URL
	header http.Header // kept over redirects
	class  class
	pri    Priority
	// patience bounds the wait at a host's gate; 0: until the context ends.
	patience time.Duration
	// packed: the document is a gzip file, which some servers call its encoding.
	packed bool
	// last: nothing more is going to be asked of the server for now, so it need
	// not keep the connection. (Its answer is 5 bytes shorter, too.)
	last bool
}

// errEncoded: the body is not as it was asked for.
var errEncoded = errors.New("Content-Encoding")

// takes says whether the body may have this Content-Encoding.
func (q ask) takes(encoding string) bool {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return true
	case "gzip", "x-gzip":
		return q.packed
	}
	return false
}

// answer is an answer's header with its body. The caller ends it with
// body.done or body.broke.
type answer struct {
	code   int
	header http.Header
	final  *url.URL // where the redirects led
	length int64    // Content-Length; -1 unknown
	body   *body
}

// statusError ends the answer and says its status.
func (a *answer) statusError() error {
	a.body.done()
	return &StatusError{URL: Redact(a.final), Code: a.code}
}

// get sends q and follows redirects. Overload and server faults (temporary
// statuses) are errors; every other status is the caller's to judge.
func (c *Client) get(ctx context.Context, q ask) (*answer, error) {
	start := withoutUser(q.url)
	if final := c.finals.lookup(start); final != nil {
		a, err := c.follow(ctx, q, final)
		if err == nil && !expired(a.code) {
			return a, nil
		}
		var backoff *backoffError
		if err != nil && (ctx.Err() != nil || errors.As(err, &backoff)) {
			return nil, err
		}
		c.finals.drop(start)
		if err != nil {
			return nil, err
		}
		a.body.done()
	}
	a, err := c.follow(ctx, q, start)
	if err == nil && a.final != start && (a.code < 300 || a.code == http.StatusNotModified) {
		c.finals.store(start, a.final)
	}
	return a, err
}

// follow sends q to u and on along redirects.
func (c *Client) follow(ctx context.Context, q ask, u *url.URL) (*answer, error) {
	for hop := 0; ; hop++ {
		a, err := c.send(ctx, q, u)
		if err != nil {
			return nil, err
		}
		next, err := redirectTarget(u, a.code, a.header)
		if next == nil && err == nil {
			return a, nil
		}
		a.body.done()
		if err != nil {
			return nil, err
		}
		if hop == maxHops {
			return nil, refuse("more than %d redirects, the last from %s", maxHops, Redact(u))
		}
		u = next
	}
}

// send makes one try at u.
func (c *Client) send(ctx context.Context, q ask, u *url.URL) (*answer, error) {
	right, err := c.dialRight(u)
	if err != nil {
		return nil, err
	}
	if err := context.Cause(c.ctx); err != nil {
		return nil, err
	}
	v, err := c.host(u).enter(ctx, q.class, q.pri, q.patience)
	if err != nil {
		return nil, err
	}
	b := newBody(c, ctx, v)
	var tm timing
	rctx := httptrace.WithClientTrace(context.WithValue(b.ctx, dialRightKey{}, right), tm.trace())
	r := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: c.headerFor(q, u), Close: q.last,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(rctx)
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, b.broke(err)
	}
	b.opened(resp, tm.rtt())
	a := &answer{code: resp.StatusCode, header: resp.Header, final: u, length: resp.ContentLength, body: b}
	if temporaryStatus(a.code) {
		err := &StatusError{URL: Redact(u), Code: a.code}
		slower := a.code == http.StatusTooManyRequests || a.code == http.StatusServiceUnavailable
		b.failed(err, retryAfter(a.header, time.Now()), slower)
		return nil, err
	}
	content := a.code == http.StatusOK || a.code == http.StatusPartialContent
	if e := a.header.Get("Content-Encoding"); content && !q.takes(e) {
		b.done()
		return nil, refuse("%w %q, though only identity was accepted", errEncoded, shorten(e))
	}
	return a, nil
}

// dialRight checks u and says what may be dialled for it.
func (c *Client) dialRight(u *url.URL) (dialRight, error) {
	if err := checkURL(u); err != nil {
		return dialRight{}, err
	}
	right := dialRight{trusted: c.opt.AllowPrivate || c.creds.mayDial(u), origin: c.creds.isSource(u)}
	if !right.trusted {
		if err := checkLiteral(u); err != nil {
			return dialRight{}, err
		}
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil {
		return dialRight{}, refuse("the proxy of the environment is no URL")
	}
	right.proxy = proxy
	return right, nil
}

// headerFor is q's header with what goes to every server and to u's origin.
func (c *Client) headerFor(q ask, u *url.URL) http.Header {
	h := http.Header{"User-Agent": {c.opt.UserAgent}}
	c.creds.apply(u, h)
	for name, values := range q.header {
		h[name] = values
	}
	h.Set("Accept-Encoding", "identity")
	return h
}

// retryAfter is what the header of that name asks for; 0 when it is absent or
// cannot be read.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}

// withoutUser is u without user information and fragment: the first is sent as
// a header to its origin only, the second never.
func withoutUser(u *url.URL) *url.URL {
	v := *u
	v.User, v.Fragment, v.RawFragment = nil, "", ""
	return &v
}
