package archive

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// Archive is one remote archive. Safe for concurrent use.
type Archive struct {
	o       Options      // with defaults; of Refresh the first value
	age     atomic.Int64 // Options.Refresh as it is now, in ns
	root    *Dir
	headers *headerCache
	notify  *notifier

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// slots bounds all header fetches; ahead those of prefetching, to three
	// quarters, so that a single open never waits behind a window.
	slots, ahead chan struct{}

	// storing is held while what is stored changes, with the URL that it is stored for:
	// nothing is stored for what is gone, or is elsewhere by now.
	storing sync.Mutex

	mu     sync.Mutex
	closed bool    // guarded by mu
	outage outage  // guarded by mu
	counts counts  // guarded by mu
	faults []Fault // the last maxFaults; guarded by mu
}

// NewDirectory is the archive at a directory's URL; a missing final slash is
// added. User information in u is dropped: the client knows it by its origin.
// No request is made.
func NewDirectory(u *url.URL, o Options) *Archive {
	c := *cleanURL(u)
	if !strings.HasSuffix(c.Path, "/") {
		c.Path += "/"
		if c.RawPath != "" {
			c.RawPath += "/"
		}
	}
	a := newArchive(o)
	a.root = newDir(a, "", c.String())
	return a
}

// NewSingle is an archive of one file, whose control file is at u. No request
// is made.
func NewSingle(u *url.URL, o Options) *Archive {
	c := cleanURL(u)
	l := &listing.Listing{Files: []listing.Entry{{Name: singleName(c) + listing.Suffix, URL: c.String()}}}
	return NewIndex(l, nil, o)
}

// NewIndex is an archive of the files of an index file. reload, if not nil,
// reads it again; it is called when l is older than Options.Refresh.
func NewIndex(l *listing.Listing, reload func(context.Context) (*listing.Listing, error), o Options) *Archive {
	a := newArchive(o)
	a.root = newDir(a, "", "")
	a.root.fixed = reload == nil
	a.root.list = func(ctx context.Context, _ zsyncclient.Validators) (*listing.Listing, zsyncclient.Validators, error) {
		l, err := reload(ctx)
		return l, zsyncclient.Validators{}, err
	}
	s := a.root.build(nil, l, zsyncclient.Validators{})
	a.root.doc.put(s, a.o.Now())
	a.root.published(nil, s)
	return a
}

func newArchive(o Options) *Archive {
	o = o.withDefaults()
	a := &Archive{
		o: o, headers: newHeaderCache(),
		slots: make(chan struct{}, o.Parallel),
		ahead: make(chan struct{}, max(o.Parallel*3/4, 1)),
	}
	a.SetRefresh(o.Refresh)
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.notify = newNotifier(o.Changed)
	a.start(func() { a.notify.run(a.ctx) })
	return a
}

// SetRefresh puts another Options.Refresh in force, which must be more than 0.
func (a *Archive) SetRefresh(age time.Duration) { a.age.Store(int64(age)) }

func (a *Archive) refresh() time.Duration { return time.Duration(a.age.Load()) }

// Root is the archive's directory.
func (a *Archive) Root() *Dir { return a.root }

// Close ends the archive's goroutines and waits for them. What is known stays
// readable; what would need a request gives ErrClosed.
func (a *Archive) Close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	a.wg.Wait()
}

// start runs f in a goroutine that Close waits for; false after Close.
func (a *Archive) start(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.wg.Go(f)
	return true
}

func cleanURL(u *url.URL) *url.URL {
	c := *u
	c.User, c.Fragment, c.RawFragment = nil, "", ""
	if c.Path == "" {
		c.Path = "/"
	}
	return &c
}

// singleName is the name shown for the control file at u: its last element
// without ".zsync", or "target" where that is no safe name.
func singleName(u *url.URL) string {
	p := strings.TrimSuffix(u.EscapedPath(), "/")
	name, err := url.PathUnescape(p[strings.LastIndexByte(p, '/')+1:])
	if err == nil {
		if safe, ok := listing.SafeName(strings.TrimSuffix(name, listing.Suffix)); ok {
			return safe
		}
	}
	return "target"
}
