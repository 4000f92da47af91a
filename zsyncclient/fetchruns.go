package zsyncclient

import (
	"context"
	"fmt"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
)

// FetchRuns fetches the blocks of runs (ascending, disjoint, none empty) in as few
// requests as the source proves that it can: several ranges in one request where
// it answers multipart/byteranges well, at most three such side by side; single
// ranges, up to four side by side, otherwise. All blocks of the target as one run
// are asked for without Range first. It verifies each block and gives verified
// runs to deliver as they arrive, as Fetch does, but in any order; records and
// deliver may be called by several goroutines at once.
//
// Errors: those of Fetch, for a run outside of the target or out of order at
// once. What was delivered before an error was right.
func (s *Source) FetchRuns(ctx context.Context, runs []format.BlockRange, pri Priority,
	records func(context.Context, format.BlockRange) ([]byte, error),
	deliver func(first format.BlockID, data []byte) error) error {
	joined, err := s.joinRuns(runs)
	if err != nil || len(joined) == 0 {
		return err
	}
	f := s.newFetch(pri, records, deliver, joined...)
	f.plain = joined[0] == s.geo.All()
	crew := &crew{}
	crew.ctx, crew.cancel = context.WithCancel(ctx)
	defer crew.cancel()
	f.crew = crew
	f.hire(nil)
	crew.wg.Wait()
	return crew.err
}

// joinRuns checks runs and joins those that touch.
func (s *Source) joinRuns(runs []format.BlockRange) ([]format.BlockRange, error) {
	joined := make([]format.BlockRange, 0, len(runs))
	next := format.BlockID(0)
	for _, r := range runs {
		if r.Start < next || r.End <= r.Start || r.End > s.geo.All().End {
			return nil, fmt.Errorf("%v is empty, out of order or outside of the target's %d", r, s.geo.BlockCount())
		}
		if n := len(joined); n > 0 && r.Start == next {
			joined[n-1].End = r.End
		} else {
			joined = append(joined, r)
		}
		next = r.End
	}
	return joined, nil
}

// crew are the goroutines of one call of FetchRuns, which waits for all of them.
type crew struct {
	ctx    context.Context // of the work; ends with the first error
	cancel context.CancelFunc
	wg     sync.WaitGroup
	count  int   // guarded by fetch.mu
	err    error // the first; guarded by fetch.mu until wg.Wait returns
}

// hire puts one more goroutine to work when there is something to do for it and
// h, where the last try went, takes one more request; the new one does the same.
func (f *fetch) hire(h *host) {
	if f.crew == nil {
		return
	}
	beside := 1
	if h != nil {
		beside = h.beside()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crew.count >= beside || len(f.todo) == 0 || f.crew.err != nil {
		return
	}
	f.crew.count++
	f.crew.wg.Go(func() {
		err := f.work(f.crew.ctx, false)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.crew.count--
		if err != nil && f.crew.err == nil {
			f.crew.err = err
			f.crew.cancel()
		}
	})
}
