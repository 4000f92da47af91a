package archive

import (
	"errors"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// outage is what is known of the server's health as a whole. It is guarded by
// Archive.mu.
type outage struct {
	down      bool      // a request failed for want of a server, and none succeeded since
	nextTry   time.Time // while down, no stale copy is asked about before that
	slowUntil time.Time // nobody waits for a revalidation until then
}

// isOutage tells errors of the network and the server from those of a single
// document, which say nothing about others.
func isOutage(err error) bool {
	var (
		status *zsyncclient.StatusError
		parse  *format.ParseError
	)
	switch {
	case errors.As(err, &status):
		return status.Code >= 500
	case errors.As(err, &parse), errors.Is(err, ErrNotExist),
		errors.Is(err, listing.ErrNotListing), errors.Is(err, listing.ErrFormat), errors.Is(err, listing.ErrTooMany):
		return false
	}
	return true
}

// failed notes that a fetch failed. It says whether a person should be told: an
// outage is one fact, however many documents it touches.
func (a *Archive) failed(err error) (tell bool) {
	if !isOutage(err) {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	first := !a.outage.down
	now := a.o.Now()
	a.outage = outage{down: true, nextTry: now.Add(a.o.Retry), slowUntil: now.Add(8 * a.o.Retry)}
	return first
}

// late notes that a flight took longer than its callers wait.
func (a *Archive) late() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outage.slowUntil = a.o.Now().Add(8 * a.o.Retry)
}

// answered notes that a fetch succeeded.
func (a *Archive) answered() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outage = outage{}
}

// isDown says that an outage lasts.
func (a *Archive) isDown() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.outage.down
}

// mayTry says whether a stale copy may be asked about: in an outage, one in
// each Options.Retry, which finds out when it ends.
func (a *Archive) mayTry() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.outage.down {
		return true
	}
	now := a.o.Now()
	if now.Before(a.outage.nextTry) {
		return false
	}
	a.outage.nextTry = now.Add(a.o.Retry)
	return true
}

// staleWait is how long to wait for a flight that started at began.
func (a *Archive) staleWait(began time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.o.Now().Before(a.outage.slowUntil) {
		return 0
	}
	return a.o.StaleWait - time.Since(began)
}
