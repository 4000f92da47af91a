package zsyncclient

import (
	"context"
	"fmt"
	"net/http"

	"github.com/zsyncfs/zsyncfs/format"
)

// try is one request of a fetch to a candidate. Not safe for concurrent use.
type try struct {
	f         *fetch
	cand      *candidate
	host      *host               // that the request goes to first
	whole     bool                // without Range
	stream    bool                // and it is FetchAll's way for candidates without ranges
	runs      []format.BlockRange // not delivered yet, ascending; the first grows shorter
	last      bool                // nothing is left for another request
	callerErr error               // of records or deliver
}

// asked is what t asks for, for errors: where the bytes lie and what they are.
func (t *try) asked() (format.Range, string) {
	all := format.BlockRange{Start: t.runs[0].Start, End: t.runs[len(t.runs)-1].End}
	if len(t.runs) == 1 {
		return t.f.s.geo.Bytes(all), "range"
	}
	return t.f.s.geo.Bytes(all), fmt.Sprintf("%d ranges of", len(t.runs))
}

// make makes the request and takes what it brings.
func (t *try) make(ctx context.Context) error {
	switch {
	case t.whole:
		return t.wholeBody(ctx)
	case t.cand.gzip:
		return t.packed(ctx)
	case len(t.runs) > 1:
		return t.several(ctx)
	}
	err := t.ranged(ctx)
	t.answeredOneRange(ctx, err)
	return err
}

// answeredOneRange tells the hosts how a request for one range ended.
func (t *try) answeredOneRange(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	for _, h := range t.hosts(nil) {
		h.answeredOneRange(err)
	}
}

// hosts are those that t went to: the first, and where a's redirects led (nil:
// where they lead by now).
func (t *try) hosts(a *answer) []*host {
	last := t.f.s.hostOf(t.cand)
	if a != nil {
		last = t.f.s.c.host(a.final)
	}
	if last == t.host {
		return []*host{last}
	}
	return []*host{t.host, last}
}

// ranged makes one range request for the only run.
func (t *try) ranged(ctx context.Context) error {
	s := t.f.s
	r := s.geo.Bytes(t.runs[0])
	etag := s.ifRange(t.cand)
	a, err := s.c.get(ctx, ask{url: t.cand.url, header: rangeHeader(etag, r), class: data, pri: t.f.pri, last: t.last})
	if err != nil {
		return err
	}
	switch a.code {
	case http.StatusPartialContent:
		cr, err := checkPartial(a, r)
		if err == nil {
			err = s.checkTotal(cr)
		}
		if err != nil {
			a.body.done()
			return err
		}
		s.learn(t.cand, a)
		if err := t.consume(ctx, a.body, a.body); err != nil {
			return err
		}
		a.body.done()
		return nil
	case http.StatusOK:
		return t.wholeForRange(ctx, a, r, etag)
	case http.StatusRequestedRangeNotSatisfiable:
		return s.unsatisfied(a)
	}
	return a.statusError()
}

// checkTotal checks the total of a Content-Range.
func (s *Source) checkTotal(cr contentRange) error {
	switch {
	case cr.total < 0:
		return refuse("Content-Range without a total")
	case cr.total != s.geo.Length:
		return &LengthError{Want: s.geo.Length, Got: cr.total}
	}
	return nil
}

// unsatisfied ends a 416: the target has another length, or the server errs.
func (s *Source) unsatisfied(a *answer) error {
	total := parseUnsatisfied(a.header.Get("Content-Range"))
	if total >= 0 && total != s.geo.Length {
		a.body.done()
		return &LengthError{Want: s.geo.Length, Got: total}
	}
	return a.statusError()
}

// wholeForRange handles a 200 to a range request. Of its body at most what was
// asked is read, and only when that starts at offset 0.
func (t *try) wholeForRange(ctx context.Context, a *answer, r format.Range, etag string) error {
	s := t.f.s
	switch {
	case etag != "":
		a.body.done()
		s.distrustETag(t.cand)
		return errAskAgain
	case a.length >= 0 && a.length != s.geo.Length:
		a.body.done()
		return &LengthError{Want: s.geo.Length, Got: a.length}
	}
	if r.Start == 0 {
		if err := t.consume(ctx, a.body, a.body); err != nil {
			return err
		}
		s.judge(t.cand, nil)
	}
	a.body.done()
	if s.doubtWhole(t.cand) {
		return errAskAgain
	}
	return fmt.Errorf("server sent 200 for a range request: %w", ErrNoRanges)
}
