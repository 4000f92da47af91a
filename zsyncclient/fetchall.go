package zsyncclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/zsyncfs/zsyncfs/format"
)

// FetchAll fetches the whole target: with ranges like Fetch where a candidate
// answers them, else by streaming whole bodies from block 0, and when no other
// candidate can be used, by streaming a gzip copy and decompressing it. Blocks
// are delivered in order, each once; a body that broke is streamed anew, and
// what was delivered before is skipped.
//
// Errors: those of Fetch but ErrNoRanges; a *LengthError in a *SourceError when
// a body is shorter or longer than the target, the latter after all blocks
// were delivered.
func (s *Source) FetchAll(ctx context.Context,
	records func(context.Context, format.BlockRange) ([]byte, error),
	deliver func(first format.BlockID, data []byte) error) error {
	if s.geo.BlockCount() == 0 {
		return nil
	}
	callers := false // the error is one of the caller's functions
	f := s.newFetch(Foreground,
		func(ctx context.Context, r format.BlockRange) ([]byte, error) {
			p, err := records(ctx, r)
			callers = callers || err != nil
			return p, err
		},
		func(first format.BlockID, p []byte) error {
			err := deliver(first, p)
			callers = callers || err != nil
			return err
		}, s.geo.All())
	err := f.work(ctx, false)
	if callers || !errors.Is(err, ErrNoRanges) {
		return err
	}
	return f.work(ctx, true)
}

// wholeBody streams the whole body of the candidate, skips what was delivered
// already, and delivers the rest. There is one run, up to the target's end.
func (t *try) wholeBody(ctx context.Context) error {
	s := t.f.s
	a, err := s.c.get(ctx, ask{url: t.cand.url, class: data, pri: t.f.pri, last: t.last, packed: t.cand.gzip})
	if err != nil {
		return err
	}
	if a.code != http.StatusOK {
		return a.statusError()
	}
	if !t.cand.gzip && a.length >= 0 && a.length != s.geo.Length {
		a.body.done()
		return &LengthError{Want: s.geo.Length, Got: a.length}
	}
	r := io.Reader(a.body)
	if t.cand.gzip {
		r = &gunzip{b: a.body, size: a.length, most: maxPacked(s.geo.Length), want: s.geo.Length}
	}
	if _, err := io.CopyN(io.Discard, r, s.geo.Offset(t.runs[0].Start)); err != nil {
		return t.shortBody(a, a.body.broke(err))
	}
	if err := t.consume(ctx, a.body, r); err != nil {
		return t.shortBody(a, err)
	}
	var more [1]byte
	n, _ := io.ReadFull(r, more[:])
	a.body.done()
	if n > 0 {
		return &LengthError{Want: s.geo.Length, Got: -1}
	}
	return nil
}

// shortBody turns the clean but early end of a body without Content-Length into
// a *LengthError when it ended there twice: the first time the connection may
// have broken, which such a body cannot tell.
func (t *try) shortBody(a *answer, err error) error {
	if a.length >= 0 || t.callerErr != nil || a.body.err != io.EOF || errors.Is(err, ErrWrongBlocks) || !temporary(err) {
		return err
	}
	if a.body.read == t.f.shortAt {
		return &LengthError{Want: t.f.s.geo.Length, Got: a.body.read}
	}
	t.f.shortAt = a.body.read
	return fmt.Errorf("body ended after %d of %d bytes: %w", a.body.read, t.f.s.geo.Length, io.ErrUnexpectedEOF)
}
