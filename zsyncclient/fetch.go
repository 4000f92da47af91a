package zsyncclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// fetch is one call of Fetch, FetchAll or FetchRuns. Its tries take what is to
// do and give back what they did not get.
type fetch struct {
	s       *Source
	pri     Priority
	records func(context.Context, format.BlockRange) ([]byte, error)
	deliver func(first format.BlockID, data []byte) error
	crew    *crew // nil: one try at a time, in the caller's goroutine

	mu      sync.Mutex
	todo    []format.BlockRange // not delivered and not being fetched, ascending; guarded by mu
	begun   int                 // tries so far; guarded by mu
	plain   bool                // one request without Range is still to be tried; guarded by mu
	last    error               // the last failure; guarded by mu
	wrongAt format.BlockID      // the block that had wrong bytes; -1 none; guarded by mu
	wrongs  int                 // how often any had; guarded by mu
	shortAt int64               // where the last whole body ended too early; one try at a time has it
}

func (s *Source) newFetch(pri Priority, records func(context.Context, format.BlockRange) ([]byte, error),
	deliver func(first format.BlockID, data []byte) error, runs ...format.BlockRange) *fetch {
	return &fetch{s: s, pri: pri, records: records, deliver: deliver, todo: runs, wrongAt: -1}
}

// errAskAgain: the same candidate is worth another try at once.
var errAskAgain = errors.New("ask again")

// work tries candidates until nothing is to do; whole streams whole bodies.
func (f *fetch) work(ctx context.Context, whole bool) error {
	for f.unfinished() {
		if err := ctx.Err(); err != nil {
			return endedError(err, f.lastFailure())
		}
		cand, err := f.s.pick(ctx, whole, f.next())
		var soon *recoversError
		if errors.As(err, &soon) {
			sleepUntil(ctx, soon.until)
			continue
		}
		if err != nil {
			return err
		}
		t := f.take(cand, whole)
		if t == nil {
			return nil
		}
		if !whole && !cand.gzip { // a copy is decoded in order
			f.hire(t.host)
		}
		asked, what := t.asked()
		err = t.make(ctx)
		f.giveBack(t)
		if err = f.finish(ctx, t, err, func(err error) error { return wrap(err, what, asked, cand.url) }); err != nil {
			return err
		}
	}
	return nil
}

// sleepUntil returns at that time, or when ctx ends.
func sleepUntil(ctx context.Context, at time.Time) {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (f *fetch) unfinished() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.todo) > 0
}

// next are the runs that the next try may be about.
func (f *fetch) next() []format.BlockRange {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.todo[:min(len(f.todo), maxRanges)])
}

func (f *fetch) lastFailure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// take gives the next try at cand its share of what is to do; nil when nothing is.
func (f *fetch) take(cand *candidate, whole bool) *try {
	t := &try{f: f, cand: cand, host: f.s.hostOf(cand), stream: whole}
	most, _ := t.host.rangesAtOnce()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.todo) == 0 {
		return nil
	}
	n := 1
	if cand.gzip && most > 1 {
		n = min(len(f.todo), most)
	} else if most > 1 {
		n = share(len(f.todo), most, f.begun)
	}
	t.runs = slices.Clone(f.todo[:n])
	f.todo = f.todo[n:]
	f.begun++
	t.last = f.crew != nil && len(f.todo) == 0
	t.whole = whole || f.plain
	f.plain = false
	return t
}

// giveBack ends t: what it did not get is to do.
func (f *fetch) giveBack(t *try) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(t.runs) == 0 {
		return
	}
	f.todo = append(slices.Clone(t.runs), f.todo...)
	slices.SortFunc(f.todo, func(a, b format.BlockRange) int { return cmp.Compare(a.Start, b.Start) })
}

// finish judges the outcome err of t. Its own error ends the fetch.
func (f *fetch) finish(ctx context.Context, t *try, err error, explain func(error) error) error {
	if t.callerErr != nil {
		return t.callerErr
	}
	if err != nil && ctx.Err() != nil {
		return lastWords(ctx, explain(err), f.lastFailure())
	}
	f.s.c.doubt(t.cand.url, err)
	if f.mayRepeat(t, err) {
		return nil
	}
	err = f.s.judge(t.cand, err)
	switch {
	case err == nil || errors.Is(err, errAskAgain):
		return nil
	case t.stream && len(t.runs) == 0:
		// Every block was right, and then there was more.
		return &SourceError{Candidates: []CandidateError{{t.cand.text, err}}}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = explain(err)
	return nil
}

// mayRepeat says whether err is wrong bytes that are worth one more try at the
// same candidate: once for each block, a few times in all.
func (f *fetch) mayRepeat(t *try, err error) bool {
	if !errors.Is(err, ErrWrongBlocks) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at := t.runs[0].Start
	again := f.wrongAt != at && f.wrongs < 8
	f.wrongAt = at
	f.wrongs++
	if again {
		f.last = err
	} else {
		f.wrongAt, f.wrongs = -1, 0
	}
	return again
}

// wrap says what was being fetched from where.
func wrap(err error, what string, r format.Range, u *url.URL) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("fetch %s %v from %s: %w", what, r, Redact(u), err)
}
