package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/target/reuse"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// SmallLength is the largest Length, in bytes, of a target that is fetched and
// verified as a whole before its first byte is served.
const SmallLength = 256 << 10

// Options of a Pool and its targets. The zero value works.
type Options struct {
	// ReadDeadline ends a flight that brought no block for so long. Default 30 s.
	// The deadline of a single read is its context's.
	ReadDeadline time.Duration
	// Linger is how long a target stays open after its last Close, so that a
	// program that opens a file again and again costs nothing. Default 15 s.
	Linger time.Duration
	// Share says whose blocks may be taken. Default: those of versions of one
	// origin.
	Share reuse.Share
	// Seeds are files and folders to look for blocks in, and Avoid folders that are left
	// out of those (reuse.Options).
	Seeds []string
	Avoid func() []string
	// Fill says what is fetched that nobody asked for. Default FillAhead.
	Fill Fill
	// Strict serves nothing of a target before the whole has been verified.
	Strict bool
	// Mirrors are more base URLs of every target, tried after its own.
	Mirrors []*url.URL
	// Warn is told what a person should know, once per fact. Default nobody.
	Warn func(path string, err error)
	// Showable is called, with no lock held, when all of the target was verified and
	// checked, so that Show may succeed from now on. nil: nobody wants to show
	// targets, so that nothing is checked for it.
	Showable func(t *Target)
}

func (o Options) withDefaults() Options {
	if o.ReadDeadline <= 0 {
		o.ReadDeadline = 30 * time.Second
	}
	if o.Linger <= 0 {
		o.Linger = 15 * time.Second
	}
	if o.Warn == nil {
		o.Warn = func(string, error) {}
	}
	return o
}

// Target is one open version. Safe for concurrent use.
type Target struct {
	store     *blockstore.Store
	place     blockstore.Place
	version   *blockstore.Version
	client    *zsyncclient.Client
	control   *zsyncclient.Control
	source    *zsyncclient.Source
	header    *format.Header
	geometry  format.Geometry
	options   Options
	nowhere   bool        // it was opened without the store, which could not take it
	release   func()      // tells the pool that one user left
	suspected func()      // tells the pool that the version became suspect
	abandoned func()      // tells the pool that the version was thrown away
	mayLook   func() bool // asks the pool whether the records may be looked at

	ctx    context.Context
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // flights, slices, verification

	totals  *totals
	fetched atomic.Int64 // bytes of blocks that arrived from sources
	reused  atomic.Int64 // bytes of blocks that were found here
	search  atomic.Pointer[search]

	replacement replacement

	served    atomic.Int64 // what reads from the store cost since the last check, in bytes
	gatherDue atomic.Bool  // its blocks could not be brought into one file yet
	apart     atomic.Bool  // what it shares stays where it is, whatever is read

	mu        sync.Mutex
	flights   []*flight     // guarded by mu; disjoint
	pieces    []*piece      // guarded by mu; registered
	slices    []*slice      // guarded by mu; records on their way
	kept      []*slice      // guarded by mu; records that the store has no room for
	streaming bool          // guarded by mu: one flight has every block that is missing
	restAfter time.Time     // guarded by mu: when the rest of the control file may be tried; far off while it is on its way
	noRoom    error         // guarded by mu: why the store could not take the last blocks
	lack      error         // guarded by mu: the noRoom with which the last fill ended; nil: it did not, or goes on
	searched  bool          // guarded by mu: what is here was looked through, or is being
	tasks     int           // guarded by mu: work that is to be ended before the target is closed for want of users
	filling   bool          // guarded by mu
	verifying bool          // guarded by mu
	digesting bool          // guarded by mu: the whole is being read to verify it
	checking  bool          // guarded by mu: blocks that nobody read are being checked
	verified  chan struct{} // guarded by mu: closed and replaced when a verification ended
	came      cameBlocks    // guarded by mu: the blocks that arrived from a source
	repair    *repair       // guarded by mu; nil: none was needed
	suspect   bool          // guarded by mu
	outdated  bool          // guarded by mu: it was thrown away
	closed    bool          // guarded by mu
}

// MaxBlocks is the largest number of blocks of a target. What is kept in memory
// of an open target grows with it (up to 3 bits a block), and a control file can
// claim any number before its records were seen. It is 512 GiB in blocks of 4 KiB.
const MaxBlocks = 1 << 27

// newTarget opens the version of ctl in store.
func newTarget(store *blockstore.Store, client *zsyncclient.Client, ctl *zsyncclient.Control, o Options) (*Target, error) {
	place := blockstore.Place(client.Place(ctl))
	if n := ctl.Header.Geometry().BlockCount(); n > MaxBlocks {
		return nil, fmt.Errorf("%s has %d blocks, more than the %d that can be opened", zsyncclient.Redact(ctl.URL), n, int64(MaxBlocks))
	}
	version, err := openVersion(store, ctl, place)
	switch {
	case errors.Is(err, blockstore.ErrClosed), errors.Is(err, blockstore.ErrInvalid):
		return nil, fmt.Errorf("open version of %s: %w", zsyncclient.Redact(ctl.URL), err)
	case err != nil: // of which the store tells
		version = blockstore.Nowhere(ctl.Raw, ctl.Header, place)
	}
	t := &Target{
		store:    store,
		place:    place,
		version:  version,
		client:   client,
		control:  ctl,
		source:   client.NewSource(ctl, o.Mirrors),
		header:   ctl.Header,
		geometry: ctl.Header.Geometry(),
		options:  o,
		nowhere:  err != nil,
		noRoom:   err,
		suspect:  version.State() == blockstore.Suspect,
		totals:   new(totals),
		verified: make(chan struct{}),
	}
	t.source.SetLocal(version)
	if o.Strict {
		version.WantWhole()
	}
	t.release, t.suspected, t.abandoned, t.mayLook = func() {}, func() {}, func() {}, func() bool { return true }
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	return t, nil
}

// openVersion opens ctl's version with the records that came along with the
// header. When those are not the ones that are here, although the header is,
// the control file was mended or broken under its header: what is here is then
// thrown away, unless the whole-file digest has proved it right. A store without
// room for records costs another request, not the open.
func openVersion(store *blockstore.Store, ctl *zsyncclient.Control, place blockstore.Place) (*blockstore.Version, error) {
	version, err := store.OpenVersion(ctl.Raw, ctl.Header, place)
	if err != nil || len(ctl.Records) == 0 {
		return version, err
	}
	err = version.PutControl(ctl.Records, ctl.Header.Size)
	if !errors.Is(err, blockstore.ErrControlConflict) || version.State() == blockstore.Verified {
		return version, nil
	}
	if err := errors.Join(version.Discard(), version.Close()); err != nil {
		return nil, err
	}
	version, err = store.OpenVersion(ctl.Raw, ctl.Header, place)
	if err == nil {
		version.PutControl(ctl.Records, ctl.Header.Size)
	}
	return version, err
}

// shut ends all work of t and closes its version.
func (t *Target) shut() error {
	t.mu.Lock()
	t.closed = true
	t.fail(t.geometry.All(), ErrClosed)
	t.mu.Unlock()
	t.cancel(ErrClosed)
	t.work.Wait()
	return t.version.Close()
}

// Close gives t back to its pool. Each Pool.Open needs one.
func (t *Target) Close() { t.release() }

// where is t's control file as messages name it.
func (t *Target) where() string { return zsyncclient.Redact(t.control.URL) }

// Header is the header of t's control file.
func (t *Target) Header() *format.Header { return t.header }

// Key is the store's name of the version.
func (t *Target) Key() blockstore.Key { return t.version.Key() }

// ReadAt fills p from byte off of the target. n < len(p) only at the end of the
// target, with io.EOF. Every byte returned has matched its strong checksum.
//
// Errors: ErrTargetChanged; ErrOtherRecords; ErrSuspect; *zsyncclient.SourceError; ctx's cause
// when this caller left (what it waited for goes on). Safe for concurrent use.
func (t *Target) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return t.readAt(ctx, p, off, false)
}

// readAt is ReadAt; bulk says that it is one of many reads in a row.
func (t *Target) readAt(ctx context.Context, p []byte, off int64, bulk bool) (int, error) {
	for {
		if err := t.settled(ctx); err != nil {
			return 0, err
		}
		if n, done, err := t.readLocal(p, off); done {
			return n, err
		}
		p, atEnd := t.cut(p, off)
		if t.wantsWhole() {
			whole, err := t.verifySmall(ctx)
			if err != nil {
				return 0, err
			}
			return copy(p, whole[off:]), atEnd
		}
		losses := t.version.Losses() // what readLocal lost is fetched now
		if t.unsettled() || t.wantsWhole() {
			continue
		}
		if err := t.readMissing(ctx, p, off, bulk); err != nil {
			return 0, err
		}
		if t.mayServe(losses) {
			return len(p), atEnd
		}
	}
}

// mayServe says whether what was read since losses, of a version that was settled then, is
// of one that is verified, where nothing else is served: no block went meanwhile, in whose
// place another may have come.
func (t *Target) mayServe(losses int64) bool {
	return !t.options.Strict && !t.wantsWhole() || t.isVerified() && t.version.Losses() == losses
}

// readLocal is ReadAt as far as it needs no block that is not here.
func (t *Target) readLocal(p []byte, off int64) (n int, done bool, err error) {
	if off < 0 {
		return 0, true, fmt.Errorf("read at negative offset %d", off)
	}
	if off >= t.geometry.Length {
		return 0, true, io.EOF
	}
	if err := t.usable(); err != nil {
		return 0, true, err
	}
	losses := t.version.Losses()
	if t.wantsWhole() || t.unsettled() {
		return 0, false, nil
	}
	p, atEnd := t.cut(p, off)
	if _, err := t.version.ReadAt(p, off); err != nil || !t.mayServe(losses) {
		return 0, false, nil
	}
	t.noteServed(len(p))
	return len(p), true, atEnd
}

// cut cuts a read at the end of the target.
func (t *Target) cut(p []byte, off int64) ([]byte, error) {
	if rest := t.geometry.Length - off; int64(len(p)) > rest {
		return p[:rest], io.EOF
	}
	return p, nil
}

// usable says whether reads may be served.
func (t *Target) usable() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return ErrClosed
	case t.outdated:
		return ErrOtherRecords
	case t.suspect, t.version.State() == blockstore.Suspect: // by another who has the version
		return ErrSuspect
	}
	return nil
}

// wantsWhole says whether t is small and must be verified as a whole before a
// byte of it is served.
func (t *Target) wantsWhole() bool {
	return t.geometry.Length <= SmallLength && len(t.header.FileHashes) > 0 &&
		t.version.State() != blockstore.Verified
}
