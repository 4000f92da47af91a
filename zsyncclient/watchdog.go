package zsyncclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// drainLimit is the most that is read of a body's unwanted rest to keep its
// connection, in bytes, and drainTime the longest that is waited for it.
const (
	drainLimit = 64 << 10
	drainTime  = 100 * time.Millisecond
	// drainLeast is what is read of it even where a limit of the rate would take
	// longer: the page of an error, the end of a multipart frame. Another
	// connection would cost no less.
	drainLeast = 1 << 10
)

// leastProgress is how many bytes of a body have to arrive within each stall
// timeout, unless it ends before: a server that sends a byte now and then is as
// good as none, and there may be a better one. 70 bytes a second are enough.
const leastProgress = 1 << 10

// body is one try from its start to the end of its body. A watchdog ends it when
// fewer than leastProgress bytes arrive within the stall timeout; the time that the
// caller takes between reads does not count, nor that of waiting for Options.LimitRate.
// Not safe for concurrent use.
type body struct {
	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
	stop   func() bool // undoes the tie to the client's Close
	caller context.Context
	timer  *time.Timer
	stall  time.Duration
	visit  *visit
	limits *atomic.Pointer[limiter] // the Client's
	limit  *limiter                 // of limits, when it was looked at last; nil: none

	patience time.Duration // what is left of the stall timeout; full at progress
	arrived  int           // bytes since then

	rc      io.ReadCloser // nil before the header came
	left    int64         // -1 unknown
	read    int64
	started time.Time // when the header came
	rtt     time.Duration
	waited  time.Duration // for limit, in all
	drained bool          // nobody waits for what is read now
	err     error         // of the first read that failed
	ended   bool
}

func newBody(c *Client, caller context.Context, v *visit) *body {
	b := &body{caller: caller, stall: c.opt.StallTimeout, visit: v, limits: &c.limit, limit: c.limit.Load()}
	b.ctx, b.cancel = context.WithCancelCause(caller)
	b.stop = context.AfterFunc(c.ctx, func() { b.cancel(ErrClosed) })
	b.timer = time.AfterFunc(b.stall, func() { b.cancel(ErrStalled) })
	return b
}

// opened: the header came.
func (b *body) opened(r *http.Response, rtt time.Duration) {
	b.timer.Stop()
	b.patience = b.stall
	b.rc, b.left, b.rtt, b.started = r.Body, r.ContentLength, rtt, time.Now()
}

// Read reads the body. Errors: io.EOF at its clean end; ErrStalled; ErrClosed;
// the caller's context's; transport errors.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.err = b.caller.Err(); b.err != nil {
		// The transport would go on for as long as it has bytes.
		return 0, b.err
	}
	lent, err := b.borrow(p)
	if err != nil {
		b.err = err
		return 0, err
	}
	if lent > 0 {
		p = p[:lent]
	}
	asked := time.Now()
	b.timer.Reset(b.patience)
	n, err := b.rc.Read(p)
	b.timer.Stop()
	b.patience -= time.Since(asked)
	b.limit.giveBack(lent - n)
	if b.arrived += n; b.arrived >= leastProgress {
		b.patience, b.arrived = b.stall, 0
	}
	if n > 0 {
		if b.read == 0 {
			b.visit.progress()
		}
		b.read += int64(n)
		b.visit.h.received.Add(int64(n))
		if b.left > 0 {
			b.left -= int64(n)
		}
	}
	if err != nil {
		if err == io.EOF {
			b.left = 0
		} else {
			err = b.cause(err)
		}
		b.err = err
	}
	return n, err
}

// borrow waits until the limit lets a part of p be read, and says how much; 0 when
// that need not be asked. Errors: those of the context.
func (b *body) borrow(p []byte) (int, error) {
	want := int64(len(p))
	if b.left >= 0 {
		want = min(want, b.left) // what does not come is not kept from the others
	}
	b.limit = b.limits.Load()
	if b.limit == nil || b.drained || want == 0 {
		return 0, nil
	}
	pri := b.visit.pri
	if b.read == 0 {
		pri = b.visit.awaited()
	}
	began := time.Now()
	n, err := b.limit.take(b.ctx, pri, int(want))
	b.waited += time.Since(began)
	if errors.Is(err, errRetired) {
		return b.borrow(p)
	}
	if err != nil {
		return 0, b.cause(err)
	}
	return n, nil
}

// cause is why the request ended, where err only says that it was cancelled.
func (b *body) cause(err error) error {
	if b.caller.Err() != nil {
		return b.caller.Err()
	}
	if cause := context.Cause(b.ctx); cause != nil {
		return cause
	}
	return err
}

// done ends the body: the answer was as it should be, and no more of it is wanted.
func (b *body) done() {
	if b.ended {
		return
	}
	b.measure()
	if b.left > 0 && b.left <= max(b.limit.within(drainTime, drainLimit), drainLeast) && b.err == nil {
		b.drained = true
		t := time.AfterFunc(drainTime, func() { b.cancel(context.Canceled) })
		_, _ = io.CopyN(io.Discard, b, b.left)
		t.Stop()
	}
	b.finish()
	b.visit.ok()
}

// measure tells the host how fast the body came. What the limit had saved up comes
// faster than it can go on, and what a background body waits for the others says
// nothing of the line.
func (b *body) measure() {
	took, read := max(time.Since(b.started), b.limit.takes(b.read)), b.read
	if b.limit != nil && b.visit.pri == Background {
		read = 0
	}
	b.visit.h.measured(b.rtt, read, took)
}

// nearlyRead: of the rest, however it is framed, at most some bytes are to come,
// so done may read them to keep the connection.
func (b *body) nearlyRead() {
	if b.left < 0 && b.err == nil {
		b.left = 1
	}
}

// broke ends the body, or the try before there was one, after err, and returns
// what really happened. Only what is the host's fault moves its backoff, which it
// need not be when it had to wait long for the limit: servers hang up on clients
// that take too little.
func (b *body) broke(err error) error {
	err = b.cause(err)
	if b.caller.Err() != nil || errors.Is(err, ErrClosed) || !temporary(err) || b.waited >= b.stall {
		b.finish()
		b.visit.leave()
		return err
	}
	b.failed(err, 0, false)
	return err
}

// failed ends the body and tells the host's gate.
func (b *body) failed(err error, retryAfter time.Duration, slower bool) {
	b.finish()
	b.visit.fail(err, retryAfter, slower)
}

func (b *body) finish() {
	b.ended = true
	b.timer.Stop()
	b.stop()
	if b.rc != nil {
		_ = b.rc.Close()
	}
	b.cancel(context.Canceled)
}

// timing measures the round trip of a request: from the moment it has a
// connection to the first byte of the answer. The transport may call the hooks
// from other goroutines.
type timing struct{ got, first atomic.Int64 }

func (t *timing) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:              func(httptrace.GotConnInfo) { t.got.Store(time.Now().UnixNano()) },
		GotFirstResponseByte: func() { t.first.Store(time.Now().UnixNano()) },
	}
}

func (t *timing) rtt() time.Duration {
	got, first := t.got.Load(), t.first.Load()
	if got == 0 || first <= got {
		return 0
	}
	return time.Duration(first - got)
}
