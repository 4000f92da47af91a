package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// How much of a control file is asked for, in bytes: enough for almost every
// header when a whole directory is looked at, and for the first block records
// besides when one file is.
const (
	listPrefix   = 2 << 10
	singlePrefix = 16 << 10
)

// File is one artifact: the same object as long as its directory's listing has
// its name. Safe for concurrent use.
type File struct {
	dir  *Dir
	name string
	url  atomic.Pointer[string]
	gone atomic.Bool // the listing has it no more
	doc  document[header]
	// distrust is about the copy of the control file's header.
	distrust distrust

	counted bool  // length is part of Stats; guarded by Archive.mu
	length  int64 // of the target; guarded by Archive.mu
}

func newFile(d *Dir, name, url string) *File {
	f := &File{dir: d, name: name}
	f.url.Store(&url)
	return f
}

// Name is the entry's name, without ".zsync".
func (f *File) Name() string { return f.name }

// Path is the path from the archive's root, without ".zsync".
func (f *File) Path() string { return join(f.dir.path, f.name) }

// ControlURL is where the control file is.
func (f *File) ControlURL() *url.URL {
	u, err := url.Parse(*f.url.Load())
	if err != nil {
		// URLs come from url.URL.String; what is read from the store is checked.
		return &url.URL{}
	}
	return u
}

// Control is the file's current control file: its header, and such of its first
// records as came along lately (often none). It may be stale while the server is
// asked, and is the last good copy when the server fails. Each call gives a new
// Control, which the caller may keep.
//
// Errors: ErrNotExist when the directory has the file no more; those of
// zsyncclient.Client.FetchControl when no copy is known; ctx's, when nothing is
// known before it ends; ErrClosed.
func (f *File) Control(ctx context.Context) (*zsyncclient.Control, error) {
	prefix := int64(singlePrefix)
	if f.dir.inOrder(f) {
		prefix = listPrefix
	}
	return f.control(ctx, prefix)
}

func (f *File) control(ctx context.Context, prefix int64) (*zsyncclient.Control, error) {
	var h *header
	err := error(ErrNotExist)
	if !f.gone.Load() {
		h, err = f.doc.get(ctx, f.dir.a, f.handler(prefix))
	}
	if err != nil {
		return nil, fmt.Errorf("control file of %q: %w", f.Path(), err)
	}
	a := f.dir.a
	c, err := h.control(f.ControlURL(), a.headers.use(f, h))
	if err != nil {
		return nil, fmt.Errorf("control file of %q: %w", f.Path(), err)
	}
	return c, nil
}

// FirstRecords are the first block records that came along with c, if they are in
// memory still; often none. It makes no request.
func (f *File) FirstRecords(c *zsyncclient.Control) []byte {
	h := f.doc.peek()
	if h == nil || !bytes.Equal(h.raw, c.Raw) {
		return nil
	}
	return f.dir.a.headers.use(f, h)
}

// Fresh is how long the file's name and control file may be given without a look
// at the server; 0 when they are due for one.
func (f *File) Fresh() time.Duration {
	return min(f.dir.Fresh(), f.doc.fresh(f.dir.a))
}

// replacedYoung is how old the answer may be that Replaced goes by.
const replacedYoung = 50 * time.Millisecond

// Replaced asks the server whether it has another control file than c, or none,
// by now; what it answers is Control's from then on. False also when it does not
// answer.
func (f *File) Replaced(ctx context.Context, c *zsyncclient.Control) bool {
	if f.gone.Load() {
		return true
	}
	h, err := f.doc.renew(ctx, f.dir.a, f.handler(singlePrefix), replacedYoung)
	failure := f.doc.failure()
	switch {
	case errors.Is(failure, ErrNotExist), zsyncclient.IsGone(failure):
		return true
	case err != nil, failure != nil:
		return false
	}
	return !bytes.Equal(h.raw, c.Raw)
}

func (f *File) handler(prefix int64) handler[header] { return &headerFlight{f, prefix} }

// headerFlight is the handler of a header for a fetch of prefix bytes.
type headerFlight struct {
	f      *File
	prefix int64
}

func (h *headerFlight) fetch(ctx context.Context, old *header) (*header, error) {
	f, a := h.f, h.f.dir.a
	if f.gone.Load() {
		return nil, ErrNotExist
	}
	ctl, err := a.fetchControl(ctx, f, old, h.prefix)
	if errors.Is(err, zsyncclient.ErrNotModified) && old != nil {
		return old, nil
	}
	if zsyncclient.IsGone(err) && !f.dir.fixed {
		// The listing decides whether the file is gone or the server confused: one
		// that is older than the file's end, if it had one.
		young := a.o.Retry
		if old != nil {
			young = replacedYoung
		}
		_, _ = f.dir.doc.renew(ctx, a, f.dir, young)
		if f.gone.Load() {
			err = ErrNotExist
		}
	}
	if err != nil {
		return nil, err
	}
	value, err := newHeader(ctl)
	if err != nil {
		return nil, err
	}
	if h.prefix == singlePrefix {
		a.headers.keepRecords(f, value, ctl.Records)
	}
	if old != nil && value.sameAs(old) {
		a.headers.moveRecords(f, value, old)
		return old, nil
	}
	f.store(value)
	return value, nil
}

// store writes the header for the next start, unless the file is gone.
func (f *File) store(h *header) {
	a := f.dir.a
	a.storing.Lock()
	defer a.storing.Unlock()
	if !f.gone.Load() {
		a.storeHeader(*f.url.Load(), h)
	}
}

// fetchControl makes the request in one of the archive's slots.
func (a *Archive) fetchControl(ctx context.Context, f *File, old *header, prefix int64) (*zsyncclient.Control, error) {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var prev zsyncclient.Validators
	if old != nil && !f.distrust.take(a.o.Now()) {
		prev = old.validators
	}
	return a.o.client.FetchControl(ctx, f.ControlURL(), prev, prefix)
}

func (h *headerFlight) load() (*header, time.Time) {
	return h.f.dir.a.loadHeader(*h.f.url.Load())
}

func (h *headerFlight) published(old, value *header) {
	f, a := h.f, h.f.dir.a
	if f.gone.Load() {
		return
	}
	for _, evicted := range a.headers.put(f, value) {
		evicted.doc.drop()
	}
	a.countFile(f, value.length)
	if old != nil && !bytes.Equal(old.raw, value.raw) {
		f.distrust.end()
		a.notify.add(f.dir.path, f.name)
	}
}

func (h *headerFlight) failed(err error, first, kept bool) {
	f, a := h.f, h.f.dir.a
	if errors.Is(err, ErrNotExist) {
		return
	}
	tell := a.failed(err)
	err = fmt.Errorf("control file of %q: %w", f.Path(), err)
	a.record(f.Path(), err)
	// Where the listing fails too (a login page for everything), that was told.
	if first && kept && tell && f.dir.doc.failure() == nil {
		a.o.Warn(fmt.Errorf("%w (the last good one is kept)", err))
	}
}

// moveTo takes the URL of a new listing; the copy stays, and is asked about
// again when the URL is another.
func (f *File) moveTo(url string) {
	a := f.dir.a
	a.storing.Lock()
	defer a.storing.Unlock()
	if old := *f.url.Load(); old != url {
		f.url.Store(&url)
		f.doc.expire()
		a.moveHeader(old, url)
	}
}

// forget is called when the listing has the file no more.
func (f *File) forget() {
	a := f.dir.a
	f.gone.Store(true)
	a.headers.remove(f)
	f.doc.drop()
	a.uncountFile(f)
	a.storing.Lock()
	defer a.storing.Unlock()
	a.deleteHeader(*f.url.Load())
}
