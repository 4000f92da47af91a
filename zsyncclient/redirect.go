package zsyncclient

import (
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	maxHops = 5
	// finalsAge is how long the end of a redirect is remembered. Signed URLs
	// live for minutes at least; an expired one is resolved again anyway.
	finalsAge = 60 * time.Second
	maxFinals = 4096
)

// finals remembers where URLs redirected to. The zero value is empty. Safe for
// concurrent use.
type finals struct {
	mu sync.Mutex
	m  map[string]finalURL // original ->; guarded by mu
}

type finalURL struct {
	url   *url.URL
	until time.Time
}

// lookup is where u redirected to lately; nil when that is not known.
func (f *finals) lookup(u *url.URL) *url.URL {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.m[u.String()]
	if !ok || time.Now().After(e.until) {
		return nil
	}
	return e.url
}

func (f *finals) store(u, final *url.URL) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if len(f.m) >= maxFinals {
		for k, e := range f.m {
			if now.After(e.until) {
				delete(f.m, k)
			}
		}
	}
	if f.m == nil || len(f.m) >= maxFinals {
		f.m = map[string]finalURL{}
	}
	f.m[u.String()] = finalURL{final, now.Add(finalsAge)}
}

func (f *finals) drop(u *url.URL) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.m, u.String())
}

// doubt forgets where u redirected to after what came from there was no good: the
// redirect may be what is wrong.
func (c *Client) doubt(u *url.URL, err error) {
	var backoff *backoffError // nobody was asked
	if err == nil || errors.Is(err, ErrNotModified) || errors.As(err, &backoff) {
		return
	}
	c.finals.drop(withoutUser(u))
}

// redirectTarget is where an answer from u leads; nil when it is no redirect.
func redirectTarget(u *url.URL, code int, h http.Header) (*url.URL, error) {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	next, err := resolveReference(u, h.Get("Location"))
	if err != nil {
		return nil, &refusal{reason: "redirect from " + Redact(u), err: err}
	}
	if u.Scheme == "https" && next.Scheme != "https" {
		return nil, refuse("redirect from https to http: %s to %s", Redact(u), Redact(next))
	}
	return next, nil
}

// expired says whether this status at a remembered final URL may come from a
// signature that ran out or a mirror that lost the file.
func expired(code int) bool {
	switch code {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}
