package archive

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// Dir is one directory of an archive: the same object as long as its parent's
// listing has its name. Safe for concurrent use.
type Dir struct {
	a     *Archive
	path  string                 // from the root; "" is the root
	url   atomic.Pointer[string] // of the listing; "" when it is no single document
	doc   document[snapshot]
	fixed bool        // the listing never changes
	gone  atomic.Bool // its parent's listing has it no more
	// list fetches the listing; nil means by the client, from url.
	list func(context.Context, zsyncclient.Validators) (*listing.Listing, zsyncclient.Validators, error)

	accessMu sync.Mutex
	access   access // guarded by accessMu

	// emptied: the last answer was empty where entries were. parts: how many
	// values of the store hold the listing. hidden: directories that files hide,
	// as far as that was told. Only the flight uses them, and there is one at a
	// time.
	emptied bool
	parts   int
	hidden  map[string]bool
}

// Entry is one name of a directory; exactly one of Dir and File is set.
type Entry struct {
	// Name is one safe path element: see listing.Entry.
	Name string
	Dir  *Dir
	File *File
}

func newDir(a *Archive, path, url string) *Dir {
	d := &Dir{a: a, path: path}
	d.url.Store(&url)
	return d
}

// Path is the directory's path from the root, "" for the root itself.
func (d *Dir) Path() string { return d.path }

// Entries are the directory's entries, sorted by name, from memory, the store
// or the network. The slice is shared: callers must not change it.
//
// Errors: those of zsyncclient.Client.List when no copy is known;
// ctx's, when nothing is known before it ends; ErrClosed.
func (d *Dir) Entries(ctx context.Context) ([]Entry, error) {
	s, err := d.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	d.listed()
	return s.entries, nil
}

// Lookup is the entry of this name. Errors: ErrNotExist, and those of Entries.
func (d *Dir) Lookup(ctx context.Context, name string) (Entry, error) {
	s, err := d.snapshot(ctx)
	if err != nil {
		return Entry{}, err
	}
	if i, ok := s.find(name); ok {
		return s.entries[i], nil
	}
	return Entry{}, fmt.Errorf("%s: %w", join(d.path, name), ErrNotExist)
}

// Fresh is how long the listing may be given without a look at the server; 0 when
// it is due for one.
func (d *Dir) Fresh() time.Duration {
	if d.fixed {
		return d.a.refresh()
	}
	return d.doc.fresh(d.a)
}

func (d *Dir) snapshot(ctx context.Context) (*snapshot, error) {
	if d.gone.Load() {
		return nil, fmt.Errorf("list %q: %w", "/"+d.path, ErrNotExist)
	}
	if d.fixed {
		return d.doc.peek(), nil
	}
	s, err := d.doc.get(ctx, d.a, d)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", "/"+d.path, err)
	}
	return s, nil
}

// fetch implements handler.
func (d *Dir) fetch(ctx context.Context, old *snapshot) (*snapshot, error) {
	var prev zsyncclient.Validators
	if old != nil {
		prev = old.validators
	}
	l, validators, err := d.request(ctx, prev)
	if errors.Is(err, zsyncclient.ErrNotModified) && old != nil {
		d.emptied = false
		return old, nil
	}
	if err != nil {
		return nil, err
	}
	if len(l.Files)+len(l.Dirs) == 0 && old != nil && len(old.entries) > 0 && !d.emptied {
		d.emptied = true
		d.a.warn(d.path, fmt.Errorf("the listing of %q came empty: the entries stay until it does so again", d.path))
		return old, nil
	}
	d.emptied = false
	s := d.build(old, l, validators)
	if old != nil && s.sum == old.sum {
		old.validators = validators
		return old, nil
	}
	d.store(l, s)
	return s, nil
}

func (d *Dir) request(ctx context.Context, prev zsyncclient.Validators) (*listing.Listing, zsyncclient.Validators, error) {
	if d.list != nil {
		return d.list(ctx, prev)
	}
	u, err := url.Parse(*d.url.Load())
	if err != nil {
		return nil, zsyncclient.Validators{}, err
	}
	return d.a.o.client.List(ctx, u, prev)
}

// published implements handler: it tells what came and went.
func (d *Dir) published(old, s *snapshot) {
	d.a.countListing(d, old, s)
	if d.gone.Load() {
		s.forget()
		return
	}
	if old == nil {
		return
	}
	compare(old, s, func(gone, came *Entry) {
		name := ""
		if gone != nil {
			name = gone.Name
			gone.forget()
		}
		if came != nil {
			name = came.Name
		}
		d.a.notify.add(d.path, name)
	})
}

// failed implements handler.
func (d *Dir) failed(err error, first, kept bool) {
	tell := d.a.failed(err)
	err = fmt.Errorf("list %q: %w", "/"+d.path, err)
	d.a.record(d.path, err)
	if first && kept && tell {
		d.a.o.Warn(fmt.Errorf("%w (the last good listing is kept)", err))
	}
}

// load implements handler.
func (d *Dir) load() (*snapshot, time.Time) {
	u := *d.url.Load()
	if u == "" {
		return nil, time.Time{}
	}
	stored, parts := d.a.loadListing(u)
	if stored == nil {
		return nil, time.Time{}
	}
	d.parts = parts
	return d.build(nil, &stored.listing, stored.validators), stored.checked
}

// store writes the listing for the next start, unless the directory is gone.
func (d *Dir) store(l *listing.Listing, s *snapshot) {
	d.a.storing.Lock()
	defer d.a.storing.Unlock()
	if u := *d.url.Load(); u != "" && !d.gone.Load() {
		d.parts = d.a.storeListing(u, &storedListing{listing: *l, validators: s.validators, checked: d.a.o.Now()}, d.parts)
	}
}

// forget is called for an entry that its listing has no more.
func (e *Entry) forget() {
	if e.File != nil {
		e.File.forget()
		return
	}
	e.Dir.forget()
}

// forget is called when the parent's listing has the directory no more.
func (d *Dir) forget() {
	d.a.countListing(d, d.doc.peek(), nil)
	d.a.storing.Lock()
	d.a.deleteTree(*d.url.Load())
	d.a.storing.Unlock()
	if s := d.doc.peek(); s != nil { // not before: what comes from now on is forgotten when it is published
		s.forget()
	}
}

// moveTo takes the URL of a new listing; the copy stays.
func (d *Dir) moveTo(url string) {
	d.a.storing.Lock()
	defer d.a.storing.Unlock()
	if old := *d.url.Load(); old != url {
		d.url.Store(&url)
		d.a.moveListing(old, url)
	}
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
