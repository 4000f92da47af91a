package zsyncclient

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
)

// Client makes all requests of one mount or command. Safe for concurrent use.
type Client struct {
	opt       Options // with defaults
	transport *http.Transport
	creds     *credentials
	finals    finals
	early     early
	limit     atomic.Pointer[limiter] // of the bodies' rate; nil: none
	largePage chan struct{}           // has an element while a large page of a listing is read
	ctx       context.Context         // ends at Close
	cancel    context.CancelCauseFunc

	mu     sync.Mutex
	hosts  map[string]*host    // hostPort ->; guarded by mu
	past   counters            // of hosts that were dropped; guarded by mu
	warned map[string]struct{} // guarded by mu
}

// Bounds of what a long-lived client remembers.
const (
	maxHosts  = 1024
	maxWarned = 4096
)

// New checks o and reads the certificate and netrc files.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	for _, u := range slices.Concat(o.Origins, o.Mirrors) {
		if err := checkURL(u); err != nil {
			return nil, &refusal{reason: Redact(u), err: err}
		}
	}
	creds, err := newCredentials(o)
	if err != nil {
		return nil, err
	}
	c := &Client{opt: o, creds: creds,
		hosts: map[string]*host{}, warned: map[string]struct{}{}, largePage: make(chan struct{}, 1)}
	c.limit.Store(newLimiter(o.LimitRate))
	if c.transport, err = newTransport(o, c.early.dial); err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c, nil
}

// Close ends all connections; requests under way fail with ErrClosed.
func (c *Client) Close() {
	c.cancel(ErrClosed)
	c.early.closeAll()
	c.transport.CloseIdleConnections()
}

// AddOrigin: one more URL that the user typed (a line of an index file).
func (c *Client) AddOrigin(u *url.URL) { c.creds.add(u, true) }

// SetLimitRate has another Options.LimitRate hold, also for answers under way.
func (c *Client) SetLimitRate(rate int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit.Swap(newLimiter(rate)).retire()
	for _, h := range c.hosts {
		h.limited.Store(rate > 0)
	}
}

// host is the state of u's host, made when it is new.
func (c *Client) host(u *url.URL) *host {
	name := hostPort(u)
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[name]
	if h == nil {
		if len(c.hosts) >= maxHosts {
			c.dropIdleHosts()
		}
		h = newHost(name, c.opt.MaxConnsPerHost)
		h.limited.Store(c.limit.Load() != nil)
		c.hosts[name] = h
	}
	return h
}

// dropIdleHosts forgets hosts that have no request; c.mu is held.
func (c *Client) dropIdleHosts() {
	for name, h := range c.hosts {
		if sum, idle := h.retire(); idle {
			c.past.add(sum)
			delete(c.hosts, name)
		}
	}
}

// warn tells Options.Warn each text once.
func (c *Client) warn(err error) {
	text := err.Error()
	c.mu.Lock()
	_, told := c.warned[text]
	if !told && len(c.warned) < maxWarned {
		c.warned[text] = struct{}{}
	}
	told = told || len(c.warned) >= maxWarned
	c.mu.Unlock()
	if !told {
		c.opt.Warn(err)
	}
}
