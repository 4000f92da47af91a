package zsyncclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
)

// joinGap is the longest gap between two asked ranges that is passed by when a
// server joined them, in bytes.
const joinGap = 4 << 10

// several asks for all of t's runs in one request. A host that cannot do it is
// asked for fewer ranges, then for single ones, for good; one that did it before
// may fail for other reasons.
func (t *try) several(ctx context.Context) error {
	s := t.f.s
	ranges := make([]format.Range, len(t.runs))
	for i, r := range t.runs {
		ranges[i] = s.geo.Bytes(r)
	}
	etag := s.ifRange(t.cand)
	a, err := s.c.get(ctx, ask{url: t.cand.url, header: rangeHeader(etag, ranges...), class: data, pri: t.f.pri, last: t.last})
	if err != nil {
		return t.severalFailed(ctx, err, len(t.runs))
	}
	switch a.code {
	case http.StatusPartialContent:
		return t.severalParts(ctx, a)
	case http.StatusOK:
		a.body.done()
		if etag != "" {
			s.distrustETag(t.cand)
			return errAskAgain
		}
		if a.length >= 0 && a.length != s.geo.Length {
			return &LengthError{Want: s.geo.Length, Got: a.length}
		}
		s.doubtWhole(t.cand) // a whole file for one range is believed after that
		if !strings.EqualFold(a.header.Get("Accept-Ranges"), "bytes") {
			// It may know no ranges at all.
			t.refusedAt(a, 1)
			return errAskAgain
		}
	case http.StatusRequestedRangeNotSatisfiable:
		var length *LengthError
		if err := s.unsatisfied(a); errors.As(err, &length) {
			return err
		}
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusGone:
		return a.statusError()
	default:
		a.body.done()
	}
	t.refused(a)
	return errAskAgain
}

// severalFailed judges a request for so many ranges that got no answer to look at.
func (t *try) severalFailed(ctx context.Context, err error, ranges int) error {
	var backoff *backoffError
	if ctx.Err() != nil || errors.As(err, &backoff) {
		return err
	}
	if errors.Is(err, errEncoded) {
		return t.onlySingle(nil)
	}
	if _, proved := t.host.rangesAtOnce(); aboutRanges(err) && proved < ranges {
		t.refusedAt(nil, ranges)
	}
	return err
}

// aboutRanges says whether the number of ranges may be why a request failed: not
// when it never reached the server, or was one too many in a row.
func aboutRanges(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code >= http.StatusInternalServerError
	}
	var op *net.OpError
	return temporary(err) && !(errors.As(err, &op) && op.Op == "dial")
}

// refused: the hosts did not answer so many ranges.
func (t *try) refused(a *answer) { t.refusedAt(a, len(t.runs)) }

func (t *try) refusedAt(a *answer, ranges int) {
	for _, h := range t.hosts(a) {
		h.refusedRanges(ranges)
	}
}

// onlySingle: the hosts are asked for single ranges from now on.
func (t *try) onlySingle(a *answer) error {
	for _, h := range t.hosts(a) {
		h.limitRanges(1)
	}
	return errAskAgain
}

// partReaders are the buffers of multipart bodies.
var partReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, maxPartHeader) }}

// severalParts takes the parts of a 206 to several ranges, and learns from them
// how many the host answers. A broken body loses nothing of what came before.
func (t *try) severalParts(ctx context.Context, a *answer) error {
	r := partReaders.Get().(*bufio.Reader)
	r.Reset(a.body)
	defer func() { r.Reset(nil); partReaders.Put(r) }()
	host, asked := t.f.s.c.host(a.final), len(t.runs)
	p, err := partsOf(a, r)
	for n := 1; err == nil; n++ {
		var cr contentRange
		if cr, err = p.next(); err != nil {
			break
		}
		if err = t.part(ctx, a, r, cr); err == nil && n == 2 {
			host.answeredRanges(asked - len(t.runs))
			t.f.hire(host)
		}
	}
	switch {
	case err == io.EOF:
		a.body.nearlyRead()
		a.body.done()
	case a.body.ended:
		return t.severalBroke(ctx, a, asked, err)
	case errors.Is(err, errParts):
		a.body.done()
		return t.onlySingle(a)
	case temporary(err):
		return t.severalBroke(ctx, a, asked, a.body.broke(err))
	default:
		a.body.done()
		return err
	}
	got := asked - len(t.runs)
	switch {
	case got == 0 || p.single && len(t.runs) > 0:
		return t.onlySingle(a)
	case len(t.runs) > 0:
		// It sends the first so many and says nothing of the others.
		host.limitRanges(got)
		return nil
	}
	host.answeredRanges(asked)
	return nil
}

// severalBroke judges a body that ended with err before its parts did.
func (t *try) severalBroke(ctx context.Context, a *answer, asked int, err error) error {
	if t.callerErr != nil || ctx.Err() != nil {
		return err
	}
	if _, proved := t.f.s.c.host(a.final).rangesAtOnce(); proved > 1 {
		return err
	}
	if errors.Is(err, ErrWrongBlocks) {
		// Perhaps only the parts are mixed up: a single range tells.
		t.refusedAt(a, 1)
	} else if temporary(err) && len(t.runs) == asked {
		t.refused(a)
	}
	return err
}

// part takes one part of a's body, which r reads: one run, or several that the
// server joined.
//
// Errors: errParts (wrapped) when it is not what was asked; *LengthError; those
// of consume, which ends the body.
func (t *try) part(ctx context.Context, a *answer, r *bufio.Reader, cr contentRange) error {
	s := t.f.s
	if err := s.checkTotal(cr); err != nil {
		return err
	}
	n := t.covers(cr.r)
	if n == 0 {
		return fmt.Errorf("%w: server sent %v where it should not", errParts, cr.r)
	}
	s.learn(t.cand, a)
	at := cr.r.Start
	for range n {
		run := s.geo.Bytes(t.runs[0])
		if _, err := io.CopyN(io.Discard, r, run.Start-at); err != nil {
			return a.body.broke(noEOF(err))
		}
		if err := t.consume(ctx, a.body, r); err != nil {
			return err
		}
		at = run.End
	}
	return nil
}

// covers is how many of t's first runs the part r holds: 0 when it does not start
// and end with one, or has a long gap.
func (t *try) covers(r format.Range) int {
	at := r.Start
	for i, run := range t.runs {
		b := t.f.s.geo.Bytes(run)
		if i == 0 && b.Start != at || b.Start-at > joinGap || b.End > r.End {
			return 0
		}
		if b.End == r.End {
			return i + 1
		}
		at = b.End
	}
	return 0
}

// noEOF is err of a read where the end of the body is too early.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
