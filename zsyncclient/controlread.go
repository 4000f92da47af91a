package zsyncclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// pieces are buffers of runSize bytes for control files.
var pieces = sync.Pool{New: func() any { b := make([]byte, runSize); return &b }}

// early is the error for a body that ended, with err, before what was missing.
func (f *controlFetch) early(a *answer, err error) error {
	if err != io.EOF {
		return a.body.broke(err)
	}
	if a.code == http.StatusOK && a.length < 0 {
		// The end of such a body tells the document's length.
		a.body.done()
		return f.ctl.Header.CheckControlSize(a.body.read)
	}
	return a.body.broke(fmt.Errorf("body ended after %d bytes: %w", a.body.read, io.ErrUnexpectedEOF))
}

// controlReader is a control file from its start, over as many requests as it
// takes; what was read is kept. Not safe for concurrent use.
type controlReader struct {
	c        *Client
	ctx      context.Context
	url      *url.URL
	patience time.Duration

	a     *answer // under way, or nil
	end   int64   // of a's part; -1: to the end of the document
	parts int     // answers so far
	v     Validators
	kept  bool // what comes from now on is, also when the rest does not come
	mixed bool // a part did not say whether it is of the file of the first one
	final *url.URL
	got   []byte
	err   error // of the network, not io.EOF
}

// open makes the first request, for prefix bytes or, when that is 0, for all.
func (r *controlReader) open(prev Validators, prefix int64) error {
	part, h := format.Range{End: prefix}, http.Header{}
	if prefix > 0 {
		h = rangeHeader("", part)
	}
	prev.conditional(h)
	a, err := r.c.get(r.ctx, ask{url: r.url, header: h, class: control, patience: r.patience, last: prefix == 0})
	if err != nil {
		return err
	}
	r.final = a.final
	switch {
	case a.code == http.StatusNotModified && !prev.empty():
		a.body.done()
		return ErrNotModified
	case a.code == http.StatusRequestedRangeNotSatisfiable && parseUnsatisfied(a.header.Get("Content-Range")) == 0:
		a.body.done()
		r.v = validatorsOf(a.header, 0)
		return nil
	case a.code == http.StatusPartialContent && prefix > 0:
		err = r.startPart(a, part)
	case a.code == http.StatusOK:
		r.v = validatorsOf(a.header, a.length)
		r.a, r.end = a, -1
	default:
		return a.statusError()
	}
	r.parts++
	if err == nil && prev.proves(r.v) {
		return ErrNotModified
	}
	return err
}

// startPart takes a 206 for part.
func (r *controlReader) startPart(a *answer, part format.Range) error {
	cr, err := checkPartial(a, part)
	now := validatorsOf(a.header, cr.total)
	if err == nil && r.parts > 0 && r.v.contradicts(now) {
		err = ErrTargetChanged
	}
	if err != nil {
		a.body.done()
		return err
	}
	if r.parts == 0 {
		r.v = now
	}
	r.mixed = r.mixed || !r.v.repeats(now)
	r.a, r.end = a, cr.r.End
	return nil
}

// Read reads on, with further requests when a part ended before the document.
func (r *controlReader) Read(p []byte) (int, error) {
	for r.err == nil {
		if r.a == nil {
			if err := r.nextPart(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := r.a.body.Read(p[:min(int64(len(p)), r.leftInPart())])
		r.got = append(r.got, p[:n]...)
		if r.kept {
			r.a.body.visit.used += int64(n)
		}
		if err == io.EOF && r.end >= 0 && int64(len(r.got)) < r.end {
			err = fmt.Errorf("body ended after %d bytes: %w", r.a.body.read, io.ErrUnexpectedEOF)
		}
		if err != nil && err != io.EOF {
			r.err = r.a.body.broke(err)
			r.a = nil
			return n, r.err
		}
		if err == io.EOF && r.end < 0 {
			r.v.Length = int64(len(r.got))
		}
		if err == io.EOF || int64(len(r.got)) == r.end {
			r.close()
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

// leftInPart is at least 1, so that a read sees the end of a body.
func (r *controlReader) leftInPart() int64 {
	if r.end < 0 {
		return 1 << 30
	}
	return max(r.end-int64(len(r.got)), 1)
}

// doubtful says whether what was read may be parts of two files.
func (r *controlReader) doubtful() bool { return r.parts > 1 && (r.mixed || !r.v.certain()) }

// nextPart asks for the part after what was read. Errors: io.EOF at the end of
// the document.
func (r *controlReader) nextPart() error {
	at := int64(len(r.got))
	if r.end < 0 || at == r.v.Length {
		return io.EOF
	}
	part := format.Range{Start: at, End: at + defaultPrefix<<min(r.parts, 4)}
	if end := zmapEnd(r.got); end >= at {
		part.End = end + 1 // the header's empty line, mostly; records are asked for as they are needed
	}
	if r.v.Length >= 0 {
		part.End = min(part.End, r.v.Length)
	}
	a, err := r.c.get(r.ctx, ask{url: r.url, header: rangeHeader(r.v.ETag, part), class: control, patience: r.patience})
	if err == nil {
		switch a.code {
		case http.StatusPartialContent:
			err = r.startPart(a, part)
		case http.StatusRequestedRangeNotSatisfiable:
			a.body.done()
			if total := parseUnsatisfied(a.header.Get("Content-Range")); total == at {
				r.v.Length = at
				return io.EOF
			}
			err = ErrTargetChanged
		case http.StatusOK:
			a.body.done()
			err = ErrTargetChanged
		default:
			err = a.statusError()
		}
	}
	r.parts++
	r.err = err
	return err
}

// zmapName begins the line of a Z-Map2.
const zmapName = "\nZ-Map2: "

// zmapEnd is where the Z-Map2 ends that the header got begins to tell of; -1 when it
// tells of none yet.
func zmapEnd(got []byte) int64 {
	const name = zmapName
	start := bytes.Index(got, []byte(name))
	if start < 0 {
		return -1
	}
	count, _, found := bytes.Cut(got[start+len(name):], []byte("\n"))
	n, ok := parseDigits(string(count))
	if !found || !ok || n > format.MaxZMapEntries {
		return -1
	}
	return int64(start+len(name)+len(count)+1) + 4*n
}

// topUp reads on to prefix bytes in all, without a further request.
func (r *controlReader) topUp(prefix int64) error {
	p := make([]byte, 32<<10)
	for r.a != nil && r.parts == 1 && int64(len(r.got)) < prefix {
		_, err := r.Read(p[:min(int64(len(p)), prefix-int64(len(r.got)))])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// close ends the answer under way.
func (r *controlReader) close() {
	if r.a != nil {
		r.a.body.done()
		r.a = nil
	}
}
