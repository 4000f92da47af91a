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
// answers them, else by streaming whole bodies from block 0. Blocks are
// delivered in order, each once; a body that broke is streamed anew, and what
// was delivered before is skipped.
//
// Errors: those of Fetch but ErrNoRanges; a *LengthError in a *SourceError when
// a body is shorter or longer than the target, the latter after all blocks
// were delivered.
func (s *Source) FetchAll(ctx context.Context,
	records func(context.Context, format.BlockRange) ([]byte, error),
	deliver func(first format.BlockID, data []byte) error) error {
	f := &fetch{s: s, pri: Foreground, records: records, deliver: deliver, end: s.geo.All().End, wrongAt: -1}
	err := f.run(ctx, false)
	if !errors.Is(err, ErrNoRanges) || f.callerErr != nil {
		return err
	}
	return f.run(ctx, true)
}

// whole streams the whole body of cand, skips what was delivered already, and
// delivers the rest.
func (f *fetch) whole(ctx context.Context, cand *candidate) error {
	s := f.s
	a, err := s.c.get(ctx, ask{url: cand.url, class: data, pri: f.pri})
	if err != nil {
		return err
	}
	if a.code != http.StatusOK {
		return a.statusError()
	}
	if a.length >= 0 && a.length != s.geo.Length {
		a.body.done()
		return &LengthError{Want: s.geo.Length, Got: a.length}
	}
	if _, err := io.CopyN(io.Discard, a.body, s.geo.Offset(f.next)); err != nil {
		return f.shortBody(a, a.body.broke(err))
	}
	if err := f.consume(ctx, a.body); err != nil {
		return f.shortBody(a, err)
	}
	var more [1]byte
	n, _ := a.body.Read(more[:])
	a.body.done()
	if n > 0 {
		return &LengthError{Want: s.geo.Length, Got: -1}
	}
	return nil
}

// shortBody turns the clean but early end of a body without Content-Length into
// a *LengthError when it ended there twice: the first time the connection may
// have broken, which such a body cannot tell.
func (f *fetch) shortBody(a *answer, err error) error {
	if a.length >= 0 || f.callerErr != nil || a.body.err != io.EOF || errors.Is(err, ErrWrongBlocks) {
		return err
	}
	if a.body.read == f.shortAt {
		return &LengthError{Want: f.s.geo.Length, Got: a.body.read}
	}
	f.shortAt = a.body.read
	return fmt.Errorf("body ended after %d of %d bytes: %w", a.body.read, f.s.geo.Length, io.ErrUnexpectedEOF)
}
