package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// Fill says what is fetched of a target that nobody asked for.
type Fill int

// The kinds of fill.
const (
	// FillAhead: what lies ahead of readers that go on and on.
	FillAhead Fill = iota
	// FillOff: nothing.
	FillOff
	// FillFull: all of a target that was opened, in the background.
	FillFull
)

const (
	// fillBatch is how much a fill asks for at once, in bytes: a reader that wants
	// a part of it waits for no more.
	fillBatch = 4 << 20
	// fillPause and fillPauseLimit are how long a fill rests after a failure.
	fillPause, fillPauseLimit = time.Second, time.Minute
)

// startFill completes the target in the background, if it is to be.
func (t *Target) startFill() {
	if t.options.Fill != FillFull && !t.options.Strict || t.version.KnownCount() == t.geometry.BlockCount() || t.usable() != nil {
		return
	}
	pri := zsyncclient.Background
	if t.options.Strict {
		pri = zsyncclient.Foreground // readers wait for it
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.filling {
		return
	}
	t.filling, t.lack = true, nil
	t.begin(func() {
		if s := t.search.Load(); s != nil {
			select {
			case <-s.done:
			case <-t.ctx.Done():
			}
		}
		t.lookForRoom()
		err := t.fetchMissing(pri)
		t.mu.Lock()
		t.filling = false
		if errors.Is(err, errRoom) {
			t.lack = t.noRoom
		}
		t.mu.Unlock()
		if told := t.options.Strict && errors.Is(err, errRoom); err != nil && !told && t.ctx.Err() == nil {
			t.options.Warn(t.where(), fmt.Errorf("complete it in the background: %w", err))
		}
	})
}

// lookForRoom has room made for the next blocks, when the last found none, and notes
// whether there is.
func (t *Target) lookForRoom() {
	t.mu.Lock()
	known := t.noRoom == nil
	t.mu.Unlock()
	if known || t.nowhere {
		return
	}
	first, end := t.missingAhead(0, fillBatch)
	if room, err := t.store.MakeRoom(end - first); err == nil && room >= end-first {
		t.noteRoom(nil)
	}
}

// errRoom: there is no room for what is missing.
var errRoom = errors.New("the store has no room for all of it")

// fetchMissing fetches all that is missing, and goes on after failures until the
// target is closed.
//
// Errors: ErrTargetChanged; ErrSuspect; errRoom; ErrClosed.
func (t *Target) fetchMissing(pri zsyncclient.Priority) error {
	pause, known := fillPause, t.version.KnownCount()
	for {
		f, err := t.nextBatch(pri)
		if now := t.version.KnownCount(); errors.Is(err, errRoom) && now > known {
			known = now // some came since: there may be room for more by now
			t.lookForRoom()
			continue
		}
		if f == nil {
			return err
		}
		select {
		case <-f.done:
		case <-t.ctx.Done():
			return ErrClosed
		}
		switch {
		case errors.Is(f.err, zsyncclient.ErrNoRanges) && !f.all:
			t.mu.Lock()
			t.stream() // nobody else may wait for a block
			t.mu.Unlock()
			pause = fillPause
			continue
		case f.err == nil, errors.Is(f.err, errHurried):
			pause = fillPause
			continue
		case errors.Is(f.err, ErrTargetChanged):
			return f.err
		}
		if err := sleep(t.ctx, pause); err != nil {
			return ErrClosed
		}
		pause = min(2*pause, fillPauseLimit)
	}
}

// nextBatch starts a flight for some of what is missing, or gives one that has it;
// nil when nothing is, or it cannot be had.
func (t *Target) nextBatch(pri zsyncclient.Priority) (*flight, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	first, end := t.missingAhead(0, fillBatch)
	if first >= t.geometry.Length {
		return nil, nil
	}
	want := t.geometry.Covering(format.Range{Start: first, End: end})
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, ErrClosed
	case t.noRoom != nil:
		return nil, errRoom
	}
	if runs := t.unscheduled(want, nil); len(runs) > 0 && !t.streaming {
		f := &flight{runs: runs, pri: pri}
		t.launch(f)
		return f, nil
	}
	for _, f := range t.flights { // it is on its way already
		if f.all || len(f.runs) > 0 && f.runs[0].Start < want.End {
			return f, nil
		}
	}
	return landed, nil // it came meanwhile
}

// landed is a flight that has ended.
var landed = func() *flight {
	f := &flight{done: make(chan struct{})}
	close(f.done)
	return f
}()

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
