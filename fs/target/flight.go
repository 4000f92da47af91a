package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// flight is one fetch of runs of blocks.
type flight struct {
	runs []format.BlockRange // still to come, ascending; guarded by Target.mu
	all  bool                // streams the whole target from a server without ranges
	pri  zsyncclient.Priority
	done chan struct{} // closed when it has ended, after err was set
	err  error
	stop context.CancelCauseFunc
	last time.Time // when it began, or the last blocks came; guarded by Target.mu

	roomless bool // the store did not take some of it; guarded by Target.mu
}

// hurryAfter is how long a reader waits for a background flight that brings nothing: others
// who read from the same host go before it. On a long line it is two round trips.
const hurryAfter = 250 * time.Millisecond

// errHurried ends a background flight; one in the foreground brings what is left.
var errHurried = errors.New("a reader waits for it")

// hurry has background flights that bring nothing go on in the foreground, where pieces
// wait for their blocks.
func (t *Target) hurry() {
	_, trip := t.source.Rate()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.flights {
		if f.pri == zsyncclient.Background && time.Since(f.last) >= max(hurryAfter, 2*trip) && slices.ContainsFunc(f.runs, t.awaited) {
			f.stop(errHurried)
		}
	}
}

// schedule starts flights for those blocks of want that are neither here nor on
// their way: one for all of them when they are wanted together, else one for each
// run. t.mu is held.
func (t *Target) schedule(want []format.BlockRange, together bool) {
	if t.streaming || t.closed {
		return
	}
	var runs []format.BlockRange
	for _, r := range want {
		runs = t.unscheduled(r, runs)
	}
	if together && len(runs) > 0 {
		t.launch(&flight{runs: runs})
		return
	}
	for _, r := range runs {
		t.launch(&flight{runs: []format.BlockRange{r}})
	}
}

// unscheduled appends to out the runs of want that are neither here nor on their
// way. t.mu is held.
func (t *Target) unscheduled(want format.BlockRange, out []format.BlockRange) []format.BlockRange {
	for b := want.Start; b < want.End; {
		run, missing := t.version.Known(b, want.End)
		if run > 0 {
			b += format.BlockID(run)
			continue
		}
		end := b + format.BlockID(missing)
		for b < end {
			next, flying := t.flyingFrom(b, end)
			if !flying {
				out = append(out, format.BlockRange{Start: b, End: next})
			}
			b = next
		}
	}
	return out
}

// flyingFrom says whether block b is on its way and up to where that is so, at
// most end. t.mu is held.
func (t *Target) flyingFrom(b, end format.BlockID) (next format.BlockID, flying bool) {
	next = end
	for _, f := range t.flights {
		i := sort.Search(len(f.runs), func(i int) bool { return f.runs[i].End > b })
		switch {
		case i == len(f.runs):
		case f.runs[i].Start <= b:
			return min(f.runs[i].End, end), true
		default:
			next = min(next, f.runs[i].Start)
		}
	}
	return next, false
}

// arrived takes blocks that came off those that are still to come. Target.mu is
// held.
func (f *flight) arrived(came format.BlockRange) {
	left := f.runs[:0:0]
	for _, r := range f.runs {
		if head := (format.BlockRange{Start: r.Start, End: min(r.End, came.Start)}); head.Count() > 0 {
			left = append(left, head)
		}
		if tail := (format.BlockRange{Start: max(r.Start, came.End), End: r.End}); tail.Count() > 0 {
			left = append(left, tail)
		}
	}
	f.runs = left
}

// launch starts f. t.mu is held.
func (t *Target) launch(f *flight) {
	t.flights = append(t.flights, f)
	runs := slices.Clone(f.runs)
	f.done, f.last = make(chan struct{}), time.Now()
	ctx, cancel := context.WithCancelCause(t.ctx)
	f.stop = cancel
	t.work.Add(1)
	go func() {
		defer t.work.Done()
		defer close(f.done)
		f.err = t.fly(ctx, f, runs)
		cancel(nil)
		t.land(f, f.err)
	}()
}

// streamPatience is how many read deadlines a stream of a whole target may bring
// nothing: one that broke off starts anew and passes first what is here already.
const streamPatience = 10

// fly fetches runs, the blocks of f, until ctx ends, which f.stop does.
func (t *Target) fly(ctx context.Context, f *flight, runs []format.BlockRange) error {
	deadline := t.options.ReadDeadline
	if f.all {
		deadline *= streamPatience
	}
	stall := time.AfterFunc(deadline, func() { f.stop(ErrStalled) })
	defer stall.Stop()
	deliver := func(first format.BlockID, data []byte) error {
		stall.Reset(deadline)
		return t.deliver(f, first, data)
	}
	var err error
	if f.all {
		err = t.source.FetchAll(ctx, t.records, deliver)
	} else if t.prefetchRecords(runs); len(runs) == 1 {
		err = t.source.Fetch(ctx, runs[0], f.pri, t.records, deliver)
	} else {
		err = t.source.FetchRuns(ctx, runs, f.pri, t.records, deliver)
	}
	switch {
	case err != nil && t.ctx.Err() != nil:
		return ErrClosed
	case err != nil && context.Cause(ctx) == errHurried:
		return errHurried
	case errors.Is(err, ErrStalled): // for want of records
		return err
	case err != nil && ctx.Err() != nil:
		// The client's own word for it, a cancelled context, would look like a
		// reader that left.
		return fmt.Errorf("%w: %s", ErrStalled, strings.TrimSuffix(err.Error(), ": "+context.Canceled.Error()))
	}
	return t.explain(err)
}

// deliver stores blocks that arrived and verified, and wakes who waits for them.
// Errors: blockstore.ErrOtherContent; nobody gets such bytes.
func (t *Target) deliver(f *flight, first format.BlockID, data []byte) error {
	t.fetched.Add(int64(len(data)))
	t.totals.fetched.Add(int64(len(data)))
	start := t.geometry.Offset(first)
	came := t.geometry.Covering(format.Range{Start: start, End: start + int64(len(data))})
	known, _ := t.version.Known(came.Start, came.End)
	missing := known < came.Count()
	stored := false
	t.mu.Lock()
	// Who waits gets what is in the store, and of what was verified nothing else.
	if missing || t.isVerified() || t.awaited(came) {
		t.mu.Unlock()
		err := t.version.Replace(first, data)
		if errors.Is(err, blockstore.ErrOtherContent) {
			return err
		}
		stored = err == nil
		t.mu.Lock()
		if missing {
			f.roomless = f.roomless || !stored
			if !stored || !f.roomless { // a small piece may find room where a large one did not
				t.noRoom = err
			}
		}
	}
	f.last = time.Now()
	f.arrived(came)
	if stored { // else other bytes may be here, or come
		t.noteCame(came)
	}
	t.feed(came, data)
	t.mu.Unlock()
	if missing {
		t.afterDelivery()
	}
	return nil
}

// land takes f off the list and tells who still waits for its blocks.
func (t *Target) land(f *flight, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flights = without(t.flights, f)
	switch {
	case errors.Is(err, errHurried):
		if len(f.runs) > 0 && !t.closed && !t.streaming { // which brings them, too
			t.launch(&flight{runs: f.runs})
		}
		return
	case err == nil && len(f.runs) > 0:
		err = fmt.Errorf("fetch ended before %v", f.runs[0])
	case errors.Is(err, zsyncclient.ErrNoRanges) && !f.all:
		if slices.ContainsFunc(f.runs, t.awaited) {
			t.stream()
		}
		return
	}
	if err != nil {
		for _, r := range f.runs {
			t.fail(r, err)
		}
	}
	if f.all {
		t.streaming = false
		t.scheduleAwaited()
	}
}

// without is list, changed in place, without x.
func without[T comparable](list []T, x T) []T {
	return slices.DeleteFunc(list, func(y T) bool { return y == x })
}

// awaited says whether a piece waits for a block of blocks. t.mu is held.
func (t *Target) awaited(blocks format.BlockRange) bool {
	return slices.ContainsFunc(t.pieces, func(q *piece) bool { return q.wants(blocks) })
}

// scheduleAwaited starts flights for what pieces still wait for: blocks that a
// stream had passed when they were asked for. t.mu is held.
func (t *Target) scheduleAwaited() {
	for _, q := range t.pieces {
		if q.waits() {
			t.schedule([]format.BlockRange{q.blocks}, false)
		}
	}
}

// noteRoom notes why the store does not take blocks, which it tells itself; nil: it does.
func (t *Target) noteRoom(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noRoom = err
}

// stream starts the flight that takes the whole target from a server without
// ranges. t.mu is held.
func (t *Target) stream() {
	if t.streaming || t.closed {
		return
	}
	t.streaming = true
	t.launch(&flight{runs: []format.BlockRange{t.geometry.All()}, all: true})
}
