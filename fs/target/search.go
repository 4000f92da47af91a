package target

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/target/reuse"
	"github.com/zsyncfs/zsyncfs/zsyncclient/seed"
)

const (
	// singlePatience and bulkPatience bound how long after a search began a read
	// waits for it. One by itself hardly does, unless the search is expected to take
	// no longer than soon; one of many in a row may: what it would fetch is most of
	// what the search finds.
	singlePatience = 50 * time.Millisecond
	// A search that has found nothing after barrenPatience is waited for no more.
	bulkPatience   = 2 * time.Second
	barrenPatience = 500 * time.Millisecond
	soon           = 400 * time.Millisecond
	// searchRate is how much a search looks at in a second, at least, in bytes.
	searchRate = 256 << 20
)

// search is a search for blocks in what is here.
type search struct {
	done chan struct{}

	mu      sync.Mutex
	began   time.Time     // when it was known how much is looked at; guarded by mu
	single  time.Duration // how long a read by itself may wait for it; guarded by mu
	found   chan struct{} // closed and replaced when blocks were found; guarded by mu
	any     bool          // blocks were found; guarded by mu
	waiting int           // who waits for found; guarded by mu
	near    int64         // where a reader waits; guarded by mu
}

// startSearch begins to look for blocks in what is here, when there is anything
// that may have some.
func (t *Target) startSearch() {
	if t.version.KnownCount() == t.geometry.BlockCount() || t.usable() != nil {
		return
	}
	if t.options.Share == reuse.ShareNone && len(t.options.Seeds) == 0 || t.mustFetch() {
		return
	}
	finder, expected := reuse.New(t.finderOptions(nil)), int64(0)
	if len(t.options.Seeds) == 0 {
		if expected = finder.Expected(t.ctx); expected == 0 {
			return
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.noRoom != nil || t.searched {
		return
	}
	s := &search{done: make(chan struct{}), found: make(chan struct{})}
	s.expect(expected)
	t.search.Store(s)
	t.searched = true
	t.begin(func() {
		defer close(s.done)
		if expected == 0 { // folders may take long: who opens does not wait for that
			if expected = finder.Expected(t.ctx); expected == 0 {
				t.mu.Lock()
				t.searched = false
				t.mu.Unlock()
				return
			}
			s.expect(expected)
		}
		err := t.fetchControlNow()
		if err == nil {
			err = t.runSearch(s)
		}
		if err != nil && t.ctx.Err() == nil {
			t.options.Warn(t.where(), fmt.Errorf("look for blocks in what is here: %w", err))
		}
	})
}

// expect notes how many bytes s is likely to look at; 0: that is not known yet.
func (s *search) expect(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.single = singlePatience
	if takes := time.Duration(float64(bytes) / searchRate * float64(time.Second)); takes <= soon {
		s.single = 2 * soon // a busy machine takes longer
	}
	s.began = time.Now()
	s.wake() // who waits may have to wait longer, or not so long
}

// searchLate looks for blocks once the control file is whole for other reasons:
// then relatives may be found whose names tell nothing. No reader waits for it.
func (t *Target) searchLate() {
	t.mu.Lock()
	skip := t.searched || t.closed
	t.searched = true
	t.mu.Unlock()
	if skip || t.mustFetch() {
		return
	}
	if err := t.runSearch(&search{found: make(chan struct{})}); err != nil && t.ctx.Err() == nil {
		t.options.Warn(t.where(), fmt.Errorf("look for blocks in what is here: %w", err))
	}
}

// begin runs work that keeps the target open. t.mu is held.
func (t *Target) begin(work func()) {
	t.tasks++
	t.work.Add(1)
	go func() {
		defer t.work.Done()
		work()
		t.mu.Lock()
		t.tasks--
		t.mu.Unlock()
		t.afterDelivery()
	}()
}

// fetchControlNow fetches what is missing of the control file.
func (t *Target) fetchControlNow() error {
	for {
		missing := t.version.ControlMissing()
		if len(missing) == 0 {
			return nil
		}
		if err := t.client.FetchControlRange(t.ctx, t.control, missing[0], func(off int64, p []byte) error {
			return t.putControl(p, off)
		}); err != nil {
			return fmt.Errorf("fetch the records: %w", err)
		}
	}
}

func (t *Target) finderOptions(records []byte) reuse.Options {
	return reuse.Options{
		Store: t.store, Version: t.version, Control: t.control, Place: t.place, Records: records,
		Share: t.options.Share, Seeds: t.options.Seeds, Avoid: t.options.Avoid,
		Warn: func(err error) { t.options.Warn(t.where(), err) },
	}
}

// runSearch looks through what is here. The control file is whole.
func (t *Target) runSearch(s *search) error {
	records, err := t.version.Records(t.geometry.All())
	if err != nil {
		return err
	}
	o := t.finderOptions(records)
	o.Missing = seed.NewMissing(t.geometry.BlockCount())
	for b := format.BlockID(0); b < t.geometry.All().End; {
		run, missing := t.version.Known(b, t.geometry.All().End)
		for id := b; id < b+format.BlockID(run); id++ {
			o.Missing.Take(id)
		}
		b += format.BlockID(max(run, missing, 1))
	}
	o.Near = s.nearest
	o.Found = func(bytes int64) {
		t.reused.Add(bytes)
		t.totals.reused.Add(bytes)
		s.announce()
	}
	err = reuse.New(o).Find(t.ctx)
	var store *reuse.StoreError
	if errors.As(err, &store) {
		t.noteRoom(err)
		return nil
	}
	return err
}

func (s *search) nearest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.near
}

// announce wakes who waits for blocks to be found.
func (s *search) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.any = true
	s.wake()
}

// wake has those who wait look again. s.mu is held.
func (s *search) wake() {
	if s.waiting > 0 {
		close(s.found)
		s.found = make(chan struct{})
	}
}

// searching says whether a search is under way.
func (t *Target) searching() bool {
	s := t.search.Load()
	return s != nil && !s.ended()
}

func (s *search) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// worthwhile is until when a read waits for the search.
func (s *search) worthwhile(bulk bool, trip time.Duration) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !bulk:
		return s.began.Add(max(s.single, 2*trip))
	case s.any:
		return s.began.Add(bulkPatience)
	}
	return s.began.Add(max(barrenPatience, s.single))
}

// mayBeFound says whether a search is under way that reads in a row wait for.
func (t *Target) mayBeFound() bool {
	s := t.search.Load()
	return s != nil && !s.ended() && time.Now().Before(s.worthwhile(true, 0))
}

// awaitSearch waits for blocks to be found here, as long as that is worth it.
func (t *Target) awaitSearch(ctx context.Context, want format.BlockRange, bulk bool) {
	s := t.search.Load()
	if s == nil || s.ended() {
		return
	}
	_, trip := t.source.Rate()
	s.wait(1, t.geometry.Offset(want.Start))
	defer s.wait(-1, t.geometry.Offset(want.Start))
	for {
		s.mu.Lock()
		found := s.found
		s.mu.Unlock()
		left := time.Until(s.worthwhile(bulk, trip))
		if run, _ := t.version.Known(want.Start, want.End); run == want.Count() || left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-found:
		case <-timer.C:
		case <-s.done:
		case <-ctx.Done():
		}
		timer.Stop()
		if s.ended() || ctx.Err() != nil {
			return
		}
	}
}

func (s *search) wait(by int, near int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting += by
	s.near = near
}
