package whole

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
	"github.com/zsyncfs/zsyncfs/zsyncclient/seed"
)

// Fill brings one version to completeness. Its methods belong to one goroutine,
// except for Progress.
type Fill struct {
	o       Options
	h       *format.Header
	geo     format.Geometry
	place   blockstore.Place
	version *blockstore.Version // nil until Run, or when Plan found none

	missing   *seed.Missing // blocks that nobody has claimed
	unfetched *seed.Missing // blocks that did not come over the network in this run
	planning  bool          // nothing is kept
	forgotten bool          // blocks were forgotten, and their room is still theirs

	step    atomic.Pointer[download.Step]
	done    atomic.Int64 // bytes of the step
	local   atomic.Int64
	fetched atomic.Int64
}

// New prepares a Fill; nothing is opened. Close must follow.
//
// Errors: ErrControl (wrapped); more than MaxBlocks blocks.
func New(o Options) (*Fill, error) {
	h := o.Control.Header
	geo := h.Geometry()
	count := geo.BlockCount()
	if count > MaxBlocks {
		return nil, fmt.Errorf("the target has %d blocks, more than the %d that can be handled", count, int64(MaxBlocks))
	}
	if want := count * h.RecordSize(); int64(len(o.Control.Records)) != want || int64(len(o.Control.Raw)) != h.Size {
		return nil, fmt.Errorf("%w: %d bytes of records, where its header announces %d", ErrControl, len(o.Control.Records), want)
	}
	f := &Fill{o: o.withDefaults(), h: h, geo: geo, place: o.Place,
		missing: seed.NewMissing(count), unfetched: seed.NewMissing(count)}
	f.step.Store(&download.Step{})
	return f, nil
}

// Close gives the version back to the store.
func (f *Fill) Close() error {
	if f.version == nil {
		return nil
	}
	v := f.version
	f.version = nil
	v.Release()
	return v.Close()
}

// Version is the version, open until Close; nil before Run.
func (f *Fill) Version() *blockstore.Version { return f.version }

// Progress is a snapshot. Safe for concurrent use.
func (f *Fill) Progress() download.Progress {
	return download.Progress{Step: *f.step.Load(), Done: f.done.Load(), Length: f.geo.Length,
		Known: min(f.local.Load()+f.fetched.Load(), f.geo.Length)}
}

// begin starts a step.
func (f *Fill) begin(kind download.Kind, name string, total int64) {
	s := &download.Step{Kind: kind, Name: name, Total: total}
	f.o.Step(*s) // who shows progress can still see how the step before ended
	f.done.Store(0)
	f.step.Store(s)
}

// Run brings every block into the store and verifies the whole. When it fails,
// what was found and fetched stays, unless it proved wrong.
//
// Errors: ErrNoStore; *RoomError and blockstore.ErrFull (wrapped) for want of
// room; a *download.FetchError for what could not be fetched; a
// *download.VerifyError when the whole is not the target; those of the disk;
// ctx's.
func (f *Fill) Run(ctx context.Context) (download.Result, error) {
	if f.o.Store == nil {
		return download.Result{}, ErrNoStore
	}
	err := f.open(ctx)
	if err == nil {
		err = f.complete(ctx)
	}
	return f.result(), err
}

func (f *Fill) complete(ctx context.Context) error {
	f.takeKnown()
	if err := f.scan(ctx); err != nil {
		return err
	}
	if err := f.fetch(ctx); err != nil {
		return err
	}
	if err := f.verify(ctx); err != nil {
		return err
	}
	return f.version.Checkpoint()
}

// Plan finds out what Run would fetch. Nothing is made, changed or fetched.
func (f *Fill) Plan(ctx context.Context) (download.Result, error) {
	if f.o.Store != nil {
		v, err := f.o.Store.Reopen(f.key())
		switch {
		case err == nil:
			f.version = v
			v.Hold()
		case !errors.Is(err, blockstore.ErrNotFound):
			return download.Result{}, err
		}
	}
	if f.usable() {
		f.takeKnown()
	}
	f.planning = true
	if err := f.scan(ctx); err != nil {
		return download.Result{}, err
	}
	r := f.result()
	for run := range f.missing.Runs() {
		r.Missing += f.geo.Bytes(run).Length()
		r.MissingRuns++
	}
	return r, nil
}

func (f *Fill) result() download.Result {
	return download.Result{Local: f.local.Load(), Fetched: f.fetched.Load(), Unverified: len(f.h.FileHashes) == 0}
}
