package archive

import (
	"context"
	"errors"
	"sync"
	"time"
)

// document is one remote document of which the last good copy is kept.
type document[T any] struct {
	// loading is held while a copy is looked for in the store.
	loading sync.Mutex
	loaded  bool // guarded by loading

	mu      sync.Mutex
	value   *T         // the last good copy; guarded by mu
	checked time.Time  // when the server last confirmed value; guarded by mu
	err     error      // of the last fetch; guarded by mu
	retryAt time.Time  // no fetch before that, after err; guarded by mu
	fails   int        // fetches that failed since the last success; guarded by mu
	flight  *flight[T] // guarded by mu
}

// flight is one fetch. value and err are set before done is closed.
type flight[T any] struct {
	began time.Time
	done  chan struct{}
	value *T
	err   error
}

// handler is what a document's owner does about it. All are called without a
// lock, fetch and changed from the flight's goroutine.
type handler[T any] interface {
	// load reads the copy in the store; nil when there is none.
	load() (*T, time.Time)
	// fetch makes the request; old may be nil. A document that is as it was
	// gives old.
	fetch(ctx context.Context, old *T) (*T, error)
	// published tells that value is now the copy, in place of old.
	published(old, value *T)
	// failed tells that a fetch failed; kept says that a copy is still there.
	failed(err error, first, kept bool)
}

// put sets the copy.
func (d *document[T]) put(v *T, checked time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.value, d.checked = v, checked
}

// peek is the copy, fresh or not; nil when there is none.
func (d *document[T]) peek() *T {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.value
}

// drop forgets the copy, which stays in the store.
func (d *document[T]) drop() {
	d.loading.Lock()
	defer d.loading.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.value != nil {
		d.value, d.loaded = nil, false
	}
}

// settled says that get would answer without a request: the copy is fresh, or
// the last failure is too recent for another try.
func (d *document[T]) settled(a *Archive) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settledLocked(a.o.Now(), a.refresh())
}

func (d *document[T]) settledLocked(now time.Time, refresh time.Duration) bool {
	if d.err != nil {
		return now.Before(d.retryAt)
	}
	// A copy from the future has a clock that was set back: not fresh.
	age := now.Sub(d.checked)
	return d.value != nil && age >= 0 && age < refresh
}

// get is the document, by the rules of the package's doc.
func (d *document[T]) get(ctx context.Context, a *Archive, h handler[T]) (*T, error) {
	d.ensureLoaded(h)
	d.mu.Lock()
	if d.settledLocked(a.o.Now(), a.refresh()) || d.value != nil && d.flight == nil && !a.mayTry() {
		defer d.mu.Unlock()
		return d.result()
	}
	f := d.fly(a, h)
	value := d.value
	d.mu.Unlock()
	switch {
	case f == nil && value == nil:
		return nil, ErrClosed
	case f == nil:
		return value, nil
	case value == nil:
		return f.wait(ctx)
	}
	return f.waitStale(ctx, a, value)
}

// await is get without going on early: it waits for the flight.
func (d *document[T]) await(ctx context.Context, a *Archive, h handler[T]) {
	d.ensureLoaded(h)
	d.mu.Lock()
	var f *flight[T]
	if !d.settledLocked(a.o.Now(), a.refresh()) {
		f = d.fly(a, h)
	}
	d.mu.Unlock()
	if f != nil {
		_, _ = f.wait(ctx)
	}
}

// failure is why the last fetch failed; nil when it did not.
func (d *document[T]) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// fresh is how long the copy will still be fresh; 0 when it is not.
func (d *document[T]) fresh(a *Archive) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	age := a.o.Now().Sub(d.checked)
	if d.err != nil || d.value == nil || age < 0 {
		return 0
	}
	return max(a.refresh()-age, 0)
}

// expire makes the copy stale.
func (d *document[T]) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.checked = time.Time{}
}

// renew fetches the document even if it is fresh, unless it was fetched less than
// young ago or the last failure is too recent, and waits for the end.
func (d *document[T]) renew(ctx context.Context, a *Archive, h handler[T], young time.Duration) (*T, error) {
	d.mu.Lock()
	now := a.o.Now()
	age := now.Sub(d.checked)
	if d.flight == nil && (d.err != nil && now.Before(d.retryAt) || d.err == nil && age >= 0 && age < young) {
		defer d.mu.Unlock()
		return d.result()
	}
	f := d.fly(a, h)
	d.mu.Unlock()
	if f == nil {
		return nil, ErrClosed
	}
	return f.wait(ctx)
}

// result is what a caller gets now. mu is held.
func (d *document[T]) result() (*T, error) {
	if d.value == nil || errors.Is(d.err, ErrNotExist) {
		return nil, d.err
	}
	return d.value, nil
}

func (d *document[T]) ensureLoaded(h handler[T]) {
	if v := d.loadOnce(h); v != nil {
		h.published(nil, v)
	}
}

// loadOnce takes the copy in the store, the first time that there is none in
// memory; nil when nothing was taken.
func (d *document[T]) loadOnce(h handler[T]) *T {
	d.loading.Lock()
	defer d.loading.Unlock()
	if d.loaded {
		return nil
	}
	d.loaded = true
	if d.peek() != nil {
		return nil
	}
	v, checked := h.load()
	if v != nil {
		d.put(v, checked)
	}
	return v
}

// fly is the flight under way, or a new one; nil after Close. mu is held.
func (d *document[T]) fly(a *Archive, h handler[T]) *flight[T] {
	if d.flight != nil {
		return d.flight
	}
	f := &flight[T]{began: time.Now(), done: make(chan struct{})}
	if !a.start(func() { d.run(a, h, f) }) {
		return nil
	}
	d.flight = f
	return f
}

// fetchDeadline bounds one flight. Listings may have many pages; a body that
// stalls is ended by the client long before.
const fetchDeadline = 2 * time.Minute

func (d *document[T]) run(a *Archive, h handler[T], f *flight[T]) {
	ctx, cancel := context.WithTimeout(a.ctx, fetchDeadline)
	defer cancel()
	old := d.peek()
	v, err := h.fetch(ctx, old)
	if err != nil && a.ctx.Err() != nil {
		err = ErrClosed
	}
	d.mu.Lock()
	first := d.fails == 0
	if err == nil {
		d.value, d.checked, d.err, d.fails = v, a.o.Now(), nil, 0
	} else {
		d.err = err
		d.retryAt = a.o.Now().Add(a.o.Retry << min(d.fails, 3))
		d.fails++
	}
	f.value, f.err = d.result()
	d.mu.Unlock()
	switch {
	case err == nil:
		a.answered()
		if v != old {
			h.published(old, v)
		}
	case !errors.Is(err, ErrClosed):
		h.failed(err, first, f.value != nil)
	}
	// Not before: what a flight tells must not be overtaken by the next one's.
	d.mu.Lock()
	d.flight = nil
	d.mu.Unlock()
	close(f.done)
}

func (f *flight[T]) wait(ctx context.Context) (*T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// waitStale waits for a short while, then goes on with the copy stale.
func (f *flight[T]) waitStale(ctx context.Context, a *Archive, stale *T) (*T, error) {
	wait := a.staleWait(f.began)
	if wait <= 0 {
		select {
		case <-f.done:
			return f.value, f.err
		default:
			return stale, nil
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return stale, nil
	case <-timer.C:
		a.late()
		return stale, nil
	}
}
