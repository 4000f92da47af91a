package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

const (
	// headerPrefix is how many bytes are asked for to see whether a header changed.
	headerPrefix = 2 << 10
	// sliceLength is what slices of records are rounded to, in bytes: about 200
	// records of 20 bytes, so a random read costs at most one more block's worth.
	sliceLength = 4 << 10
	// sliceGap is how many bytes of records that nobody needs yet come along.
	sliceGap = 16 << 10
	// restLength is the largest part of the rest of a control file that is asked
	// for at once, so that foreground reads get their turn.
	restLength = 512 << 10
	// restPause is how long a failed try at the rest is not repeated.
	restPause = time.Minute
	// restPatience is how long the rest waits for readers to be idle.
	restPatience = 2 * time.Second
)

// keptLimit is how many slices are kept in memory when the store has no room.
const keptLimit = 16

// slice is a part of the control file on its way.
type slice struct {
	bytes format.Range
	done  chan struct{}
	err   error  // set before done is closed
	kept  []byte // set before done is closed: the bytes, when the store has no room for them
}

// records are the records of blocks r, fetched when they are not here. It is
// called by fetches with the blocks already on their way. A slice that stalled is
// asked for anew, since it may be older than the fetch, until ctx ends.
func (t *Target) records(ctx context.Context, r format.BlockRange) ([]byte, error) {
	var stalled error
	for {
		recs, err := t.version.Records(r)
		if err == nil || !errors.Is(err, blockstore.ErrUnknownRecords) {
			return recs, err
		}
		s := t.slice(t.header.RecordRange(r))
		if s == nil {
			continue // it came between the two looks
		}
		select {
		case <-s.done:
		case <-ctx.Done():
			return nil, cmp.Or(stalled, context.Cause(ctx))
		}
		if errors.Is(s.err, ErrStalled) && ctx.Err() == nil {
			stalled = s.err
			continue
		}
		if s.err != nil {
			return nil, s.err
		}
		if at := t.header.RecordRange(r); s.kept != nil && s.bytes.Start <= at.Start && at.End <= s.bytes.End {
			return s.kept[at.Start-s.bytes.Start : at.End-s.bytes.Start], nil
		}
	}
}

// prefetchRecords starts fetching the records of runs, which are ascending, when they
// are not here, so that they travel beside the blocks. Records between those of two
// runs come along where they are few: a request costs more.
func (t *Target) prefetchRecords(runs []format.BlockRange) {
	for i := 0; i < len(runs); i++ {
		want := t.header.RecordRange(runs[i])
		for ; i+1 < len(runs); i++ {
			next := t.header.RecordRange(runs[i+1])
			if next.Start-want.End > sliceGap {
				break
			}
			want.End = next.End
		}
		for want.Length() > 0 {
			s := t.slice(want)
			if s == nil || s.failed() {
				break
			}
			want.Start = max(s.bytes.End, want.Start+1)
		}
	}
}

// slice returns a slice on its way that has the first missing of the record bytes
// want, started when there is none; nil when all are here.
func (t *Target) slice(want format.Range) *slice {
	t.mu.Lock()
	defer t.mu.Unlock()
	need, ok := firstMissing(t.version.ControlMissing(), want)
	if !ok || t.closed {
		return closedSlice(t.closed)
	}
	if !t.nowhere && len(t.kept) > 0 && t.store.Trouble() == nil {
		t.kept = nil // the store takes them again, and blocks only with them
	}
	for _, s := range t.kept {
		if s.bytes.Start <= want.Start && want.End <= s.bytes.End {
			return s
		}
	}
	if len(t.kept) > 0 {
		need = want // the store has no room: the slice must do by itself
	}
	for _, s := range t.slices {
		if s.bytes.Start <= need.Start && need.Start < s.bytes.End {
			return s
		}
	}
	s := &slice{bytes: t.roundSlice(need), done: make(chan struct{})}
	t.slices = append(t.slices, s)
	t.work.Add(1)
	go func() {
		defer t.work.Done()
		t.fetchSlice(s)
	}()
	return s
}

// failed says whether s has ended without its bytes.
func (s *slice) failed() bool {
	select {
	case <-s.done:
		return s.err != nil
	default:
		return false
	}
}

func closedSlice(closed bool) *slice {
	if !closed {
		return nil
	}
	s := &slice{done: make(chan struct{}), err: ErrClosed}
	close(s.done)
	return s
}

// firstMissing is the first run of missing that lies in want, cut to want.
func firstMissing(missing []format.Range, want format.Range) (format.Range, bool) {
	for _, m := range missing {
		if m.End > want.Start && m.Start < want.End {
			return format.Range{Start: max(m.Start, want.Start), End: min(m.End, want.End)}, true
		}
	}
	return format.Range{}, false
}

// roundSlice rounds r outwards to sliceLength within the records.
func (t *Target) roundSlice(r format.Range) format.Range {
	base, end := t.header.Size, t.header.ControlLength()
	r.Start = base + (r.Start-base)/sliceLength*sliceLength
	r.End = base + (r.End-base+sliceLength-1)/sliceLength*sliceLength
	r.End = min(r.End, end)
	return r
}

// fetchSlice brings s. It ends a little before the flight that asked for it does, whose
// error then says what is wrong.
func (t *Target) fetchSlice(s *slice) {
	ctx, cancel := context.WithTimeout(t.ctx, t.options.ReadDeadline*19/20)
	defer cancel()
	s.err = t.fetchControl(ctx, s)
	if s.err != nil && ctx.Err() != nil && t.ctx.Err() == nil {
		s.err = fmt.Errorf("%w: %v", ErrStalled, s.err)
	}
	t.mu.Lock()
	if s.kept != nil && s.err == nil {
		t.kept = append(t.kept, s)
		t.kept = t.kept[max(len(t.kept)-keptLimit, 0):]
	}
	t.slices = without(t.slices, s)
	t.mu.Unlock()
	close(s.done)
}

// fetchControl brings the bytes of s into the store, or into s.kept when the
// store cannot take them.
func (t *Target) fetchControl(ctx context.Context, s *slice) error {
	bytes := make([]byte, s.bytes.Length())
	err := t.client.FetchControlRange(ctx, t.control, s.bytes, func(off int64, p []byte) error {
		copy(bytes[off-s.bytes.Start:], p)
		err := t.putControl(p, off)
		if err == nil || errors.Is(err, ErrTargetChanged) {
			return err
		}
		t.noteRoom(err)
		s.kept = bytes
		return nil
	})
	if errors.Is(err, blockstore.ErrControlConflict) && t.look(s.bytes) {
		err = fmt.Errorf("%w: %w", ErrOtherRecords, err)
	}
	if err != nil {
		return fmt.Errorf("fetch records %v of %s: %w", s.bytes, t.where(), err)
	}
	return nil
}

func (t *Target) putControl(p []byte, off int64) error {
	err := t.version.PutControl(p, off)
	if errors.Is(err, blockstore.ErrControlConflict) {
		return fmt.Errorf("%w: its records differ from those read before: %w", ErrTargetChanged, err)
	}
	return err
}

// afterDelivery starts what becomes due as blocks arrive: the rest of the
// control file, and the verification of a target that is complete. A target
// that had been verified before it lost a block is so no longer.
func (t *Target) afterDelivery() {
	if t.version.KnownCount() == t.geometry.BlockCount() {
		t.startVerification()
	}
	if t.fetched.Load() < t.header.ControlLength() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || time.Now().Before(t.restAfter) || t.searching() { // a search fetches it
		return
	}
	t.restAfter = time.Now().Add(time.Hour) // until this try has ended
	t.work.Add(1)
	go func() {
		defer t.work.Done()
		if err := t.fetchRest(); err != nil {
			t.mu.Lock()
			t.restAfter = time.Now().Add(restPause)
			t.mu.Unlock()
			return
		}
		t.searchLate()
		t.afterDelivery() // it may have found the last block
	}()
}

// errNoRoom ends fetchRest: what it fetches has no place.
var errNoRoom = errors.New("the store has no room")

// fetchRest fetches what is missing of the control file, a part at a time,
// each when readers are idle or have had their turn.
func (t *Target) fetchRest() error {
	for {
		missing := t.version.ControlMissing()
		if len(missing) == 0 {
			return nil
		}
		t.waitIdle()
		r := missing[0]
		r.End = min(r.End, r.Start+restLength)
		s := &slice{bytes: r}
		if err := t.fetchControl(t.ctx, s); err != nil {
			return err
		}
		if s.kept != nil {
			return errNoRoom
		}
	}
}

// waitIdle returns when no reader waits for a block, or after restPatience.
func (t *Target) waitIdle() {
	patience := time.NewTimer(restPatience)
	defer patience.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		t.mu.Lock()
		idle := len(t.flights) == 0
		t.mu.Unlock()
		if idle {
			return
		}
		select {
		case <-look.C:
		case <-patience.C:
			return
		case <-t.ctx.Done():
			return
		}
	}
}
