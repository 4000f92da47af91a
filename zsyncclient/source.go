package zsyncclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// Priority of a fetch: background ones wait while the host has foreground ones under way.
type Priority int

// The priorities.
const (
	Foreground Priority = iota
	Background
)

// Source is where the blocks of one target come from: its URL candidates, in
// order of preference, with what is known of each. Safe for concurrent use.
type Source struct {
	c       *Client
	header  *format.Header
	geo     format.Geometry
	buffers sync.Pool // of *[]byte, bufferSize(geo) long

	mu         sync.Mutex
	candidates []*candidate // the slice itself never changes
	current    *candidate   // the one that served last; guarded by mu
}

// NewSource resolves the candidates of ctl: each listed URL against URL, then
// against Final, then the control file's URL without ".zsync", then mirrors (one
// that ends in "/" is a folder that has the file under the same name).
// Duplicates are dropped. No request is made.
func (c *Client) NewSource(ctl *Control, mirrors []*url.URL) *Source {
	s := &Source{c: c, header: ctl.Header, geo: ctl.Header.Geometry(), candidates: candidatesOf(ctl, mirrors)}
	size := bufferSize(s.geo)
	s.buffers.New = func() any { b := make([]byte, size); return &b }
	return s
}

// Rate is the smoothed rate (bytes/s; 0 unknown) and round trip of the source's current host.
func (s *Source) Rate() (bytesPerSecond float64, rtt time.Duration) {
	s.mu.Lock()
	cand := s.current
	s.mu.Unlock()
	if cand == nil {
		return 0, 0
	}
	return s.hostOf(cand).speed()
}

// Fetch fetches blocks r with single-range requests, verifies each against its
// record and gives runs of whole, verified blocks to deliver in order, as they
// arrive (about 256 KiB at a time, or a block if that is larger; data is only
// valid during the call). records returns the records of a sub-range of r; it may
// wait, also for requests of this Client, but not for a Fetch of it.
//
// A candidate that fails is left for the next; a fetch goes on where the last
// verified block ended. Temporary failures (timeouts, resets, 5xx, 429) are
// retried with backoff until ctx ends.
//
// Errors: ErrNoRanges when the remaining candidates are right but answer no
// ranges (then use FetchAll); *SourceError naming each candidate with the
// reason, without any request while all of them are left alone; deliver's or
// records' error as it is; ctx's, with the last failure wrapped beside it.
func (s *Source) Fetch(ctx context.Context, r format.BlockRange, pri Priority,
	records func(context.Context, format.BlockRange) ([]byte, error),
	deliver func(first format.BlockID, data []byte) error) error {
	if r.Start < 0 || r.End > s.geo.All().End {
		return fmt.Errorf("%v lie outside of the target's %d", r, s.geo.BlockCount())
	}
	f := &fetch{s: s, pri: pri, records: records, deliver: deliver, next: r.Start, end: r.End, wrongAt: -1}
	return f.run(ctx, false)
}

// fetch is one call of Fetch or FetchAll. Not safe for concurrent use.
type fetch struct {
	s       *Source
	pri     Priority
	records func(context.Context, format.BlockRange) ([]byte, error)
	deliver func(first format.BlockID, data []byte) error

	next, end format.BlockID
	callerErr error          // of records or deliver
	last      error          // the last failure
	wrongAt   format.BlockID // the block that had wrong bytes; -1 none
	wrongs    int            // how often any had
	shortAt   int64          // where the last whole body ended too early
}

// errAskAgain: the same request is worth another try at once.
var errAskAgain = errors.New("ask again")

// run tries candidates until next is end.
func (f *fetch) run(ctx context.Context, stream bool) error {
	for f.next < f.end {
		if err := ctx.Err(); err != nil {
			return endedError(err, f.last)
		}
		cand, err := f.s.pick(stream)
		if err != nil {
			return err
		}
		asked := f.s.geo.Bytes(format.BlockRange{Start: f.next, End: f.end})
		if stream {
			err = f.whole(ctx, cand)
		} else {
			err = f.ranged(ctx, cand)
		}
		if f.callerErr != nil {
			return f.callerErr
		}
		if err != nil && ctx.Err() != nil {
			return lastWords(ctx, wrap(err, "range", asked, cand.url), f.last)
		}
		if f.mayRepeat(err) {
			f.last = err
			continue
		}
		err = f.s.judge(cand, err)
		if stream && err != nil && f.next >= f.end {
			// Every block was right, and then there was more.
			return &SourceError{Candidates: []CandidateError{{cand.text, err}}}
		}
		if err != nil && !errors.Is(err, errAskAgain) {
			f.last = wrap(err, "range", asked, cand.url)
		}
	}
	return nil
}

// mayRepeat says whether err is wrong bytes that are worth one more try at the
// same candidate: once for each block, a few times in all.
func (f *fetch) mayRepeat(err error) bool {
	if !errors.Is(err, ErrWrongBlocks) {
		return false
	}
	again := f.wrongAt != f.next && f.wrongs < 8
	f.wrongAt = f.next
	f.wrongs++
	if !again {
		f.wrongAt, f.wrongs = -1, 0
	}
	return again
}

// ranged makes one range request to cand for all that is missing.
func (f *fetch) ranged(ctx context.Context, cand *candidate) error {
	s := f.s
	r := s.geo.Bytes(format.BlockRange{Start: f.next, End: f.end})
	etag := s.ifRange(cand)
	a, err := s.c.get(ctx, ask{url: cand.url, header: rangeHeader(r, etag), class: data, pri: f.pri})
	if err != nil {
		return err
	}
	switch a.code {
	case http.StatusPartialContent:
		cr, err := checkPartial(a, r)
		if err == nil && cr.total != s.geo.Length {
			err = &LengthError{Want: s.geo.Length, Got: cr.total}
			if cr.total < 0 {
				err = refuse("Content-Range without a total")
			}
		}
		if err != nil {
			a.body.done()
			return err
		}
		s.learn(cand, a)
		if err := f.consume(ctx, a.body); err != nil {
			return err
		}
		a.body.done()
		return nil
	case http.StatusOK:
		return f.wholeForRange(ctx, cand, a, r, etag)
	case http.StatusRequestedRangeNotSatisfiable:
		total := parseUnsatisfied(a.header.Get("Content-Range"))
		if total >= 0 && total != s.geo.Length {
			a.body.done()
			return &LengthError{Want: s.geo.Length, Got: total}
		}
	}
	return a.statusError()
}

// wholeForRange handles a 200 to a range request. Of its body at most what was
// asked is read, and only when that starts at offset 0.
func (f *fetch) wholeForRange(ctx context.Context, cand *candidate, a *answer, r format.Range, etag string) error {
	s := f.s
	switch {
	case etag != "":
		a.body.done()
		s.distrustETag(cand)
		return errAskAgain
	case a.length >= 0 && a.length != s.geo.Length:
		a.body.done()
		return &LengthError{Want: s.geo.Length, Got: a.length}
	case s.doubtWhole(cand):
		a.body.done()
		return errAskAgain
	}
	if r.Start == 0 {
		if err := f.consume(ctx, a.body); err != nil {
			return err
		}
		s.judge(cand, nil)
	}
	a.body.done()
	return fmt.Errorf("server sent 200 for a range request: %w", ErrNoRanges)
}
