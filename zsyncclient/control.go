package zsyncclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

const (
	// defaultPrefix usually holds the header and the records of a file's
	// beginning; see FetchControl.
	defaultPrefix = 64 << 10
	// maxPrefix bounds the memory that FetchControl takes beside the header.
	maxPrefix = 16 << 20
	// patience is how long headers and listings are tried again after temporary
	// failures.
	patience = 2 * time.Second
)

// Control is a control file as far as it was fetched.
type Control struct {
	// URL is what was asked for, Final where the redirects led. URL may be nil in
	// a Control that was not fetched.
	URL, Final *url.URL
	Header     *format.Header
	// Raw are the Header.Size bytes of the header.
	Raw []byte
	// Records are the whole records that came along, from the first one on. May be empty.
	Records    []byte
	Validators Validators
}

// FetchControl fetches the header of the control file at u, and about prefix
// bytes of it in all (at most 16 MiB; 64 KiB when it is not positive): one
// request when the header fits, more when it does not. On a server without
// ranges it reads the body as it streams and stops. prev zero: unconditional.
// Temporary failures are tried again for two seconds at most.
//
// Errors: ErrNotModified; *format.ParseError (wrapped), also when the file is
// too short for its records; *format.ShortError (wrapped); *StatusError;
// transport errors.
func (c *Client) FetchControl(ctx context.Context, u *url.URL, prev Validators, prefix int64) (*Control, error) {
	if prefix <= 0 {
		prefix = defaultPrefix
	}
	prefix = min(prefix, maxPrefix)
	var ctl *Control
	again, whole := true, false
	err := patiently(ctx, func(wait time.Duration) error {
		for {
			r := &controlReader{c: c, ctx: ctx, url: u, patience: wait}
			var err error
			ctl, err = r.control(prev, prefix)
			r.close()
			c.doubt(u, err)
			if err == nil && r.doubtful() && ctl.Header.Size <= maxPrefix {
				if !whole { // its parts may be of two files: all of it from one
					prefix, whole = max(prefix, ctl.Header.Size), true
					continue
				}
				err = ErrTargetChanged
			}
			if !again || !errors.Is(err, ErrTargetChanged) {
				return err
			}
			again = false // replaced between two requests
		}
	})
	if err != nil {
		return nil, fmt.Errorf("fetch control file %s: %w", Redact(u), err)
	}
	return ctl, nil
}

// patiently repeats try while it fails for a while; each gets the time left.
func patiently(ctx context.Context, try func(time.Duration) error) error {
	deadline := time.Now().Add(patience)
	for {
		err := try(max(time.Until(deadline), time.Millisecond))
		var backoff *backoffError
		if err == nil || ctx.Err() != nil || !temporary(err) || errors.As(err, &backoff) || time.Now().After(deadline) {
			return lastWords(ctx, err, nil)
		}
	}
}

// control reads the header and what belongs to it.
func (r *controlReader) control(prev Validators, prefix int64) (*Control, error) {
	if err := r.open(prev, prefix); err != nil {
		return nil, err
	}
	h, err := format.ReadHeader(bufio.NewReaderSize(r, 16<<10))
	if r.err != nil {
		return nil, r.err
	}
	if err != nil {
		return nil, err
	}
	if err := r.topUp(prefix); err != nil {
		return nil, err
	}
	if r.v.Length >= 0 {
		if err := h.CheckControlSize(r.v.Length); err != nil {
			return nil, err
		}
	}
	have := min(int64(len(r.got)), h.ControlLength())
	have -= max(have-h.Size, 0) % h.RecordSize()
	return &Control{
		URL: r.url, Final: r.final, Header: h, Validators: r.v,
		Raw:     bytes.Clone(r.got[:h.Size]),
		Records: bytes.Clone(r.got[h.Size:have]),
	}, nil
}

// FetchControlRange fetches bytes r of ctl's file and gives them to deliver in
// order, in pieces of at most 256 KiB, each with its offset; the bytes are only
// valid during the call. It uses If-Range when there is a strong ETag. A server
// without ranges streams the whole body, of which only r is delivered. After
// temporary failures it goes on where it ended, until ctx ends. Where validators
// do not tell whether the file is still ctl's, its header does.
//
// Errors: ErrTargetChanged when the file is no longer ctl's;
// *format.ParseError when the length was unknown and turns out too short for
// the records; *StatusError; deliver's as it is; ctx's, with the last failure.
func (c *Client) FetchControlRange(ctx context.Context, ctl *Control, r format.Range, deliver func(off int64, p []byte) error) error {
	if ctl.URL == nil {
		return errors.New("the control file has no URL to fetch more of it from")
	}
	if r.Start < 0 || ctl.Validators.Length >= 0 && r.End > ctl.Validators.Length {
		return fmt.Errorf("range %v lies outside of the control file's %d bytes", r, ctl.Validators.Length)
	}
	return (&controlFetch{c: c, ctl: ctl, r: r, deliver: deliver}).surely(ctx)
}

// run makes requests until nothing is missing.
func (f *controlFetch) run(ctx context.Context) error {
	f.got = time.Now()
	for f.r.Start < f.r.End {
		if err := ctx.Err(); err != nil {
			return endedError(err, f.last)
		}
		err := f.try(ctx)
		f.c.doubt(f.ctl.URL, err)
		if f.callerErr != nil {
			return f.callerErr
		}
		if err != nil {
			err = wrap(err, "control file range", f.r, f.ctl.URL)
			if ctx.Err() != nil {
				return lastWords(ctx, err, f.last)
			}
			if !temporary(err) || f.gaveUp(err) {
				return err
			}
			f.last = err
		}
	}
	return nil
}

// controlFetch is one call of FetchControlRange.
type controlFetch struct {
	c         *Client
	ctl       *Control
	r         format.Range // what is missing
	deliver   func(off int64, p []byte) error
	callerErr error
	last      error
	patience  time.Duration // how long failures may go on without a byte; 0: until ctx ends
	strict    bool          // an answer must say itself that it is of ctl's file
	edges     bool          // an ETag may be that of another edge of a network
	got       time.Time     // when bytes came last
}

// gaveUp says whether the temporary failure err ends a fetch with patience.
func (f *controlFetch) gaveUp(err error) bool {
	var backoff *backoffError
	return f.patience > 0 && (errors.As(err, &backoff) || time.Since(f.got) > f.patience)
}

// try makes one request for what is missing.
func (f *controlFetch) try(ctx context.Context) error {
	etag := f.ctl.Validators.ETag
	if f.edges {
		etag = ""
	}
	header := rangeHeader(etag, f.r)
	a, err := f.c.get(ctx, ask{url: f.ctl.URL, header: header, class: control, patience: f.patience})
	if err != nil {
		return err
	}
	total, skip := int64(-1), int64(0)
	switch a.code {
	case http.StatusPartialContent:
		cr, err := checkPartial(a, f.r)
		if err != nil {
			a.body.done()
			return err
		}
		total = cr.total
	case http.StatusOK:
		total, skip = a.length, f.r.Start
	case http.StatusRequestedRangeNotSatisfiable:
		total = parseUnsatisfied(a.header.Get("Content-Range"))
	default:
		return a.statusError()
	}
	now := validatorsOf(a.header, total)
	if a.code == http.StatusOK && header.Get("If-Range") != "" && now.ETag == "" {
		now.LastModified = "" // to If-Range this answer says that the file is another
	}
	if err := f.checkState(now); err != nil {
		a.body.done()
		return err
	}
	if a.code == http.StatusRequestedRangeNotSatisfiable {
		return a.statusError()
	}
	return f.read(a, skip)
}

// checkState compares what an answer says of the document with what is known.
func (f *controlFetch) checkState(now Validators) error {
	known := f.ctl.Validators
	if f.edges && !known.Young && known.LastModified != "" && known.LastModified == now.LastModified {
		known.ETag = ""
	}
	if known.contradicts(now) || f.strict && !known.repeats(now) {
		return ErrTargetChanged
	}
	if f.ctl.Validators.Length < 0 && now.Length >= 0 {
		return f.ctl.Header.CheckControlSize(now.Length)
	}
	return nil
}

// read delivers what is missing from a's body, after skip bytes of it.
func (f *controlFetch) read(a *answer, skip int64) error {
	p := pieces.Get().(*[]byte)
	defer pieces.Put(p)
	for f.r.Start < f.r.End {
		want := int64(len(*p))
		if skip > 0 {
			want = min(want, skip)
		} else {
			want = min(want, f.r.Length())
		}
		n, err := a.body.Read((*p)[:want])
		switch {
		case skip > 0:
			skip -= int64(n)
		case n > 0:
			f.got = time.Now()
			if f.callerErr = f.deliver(f.r.Start, (*p)[:n]); f.callerErr != nil {
				a.body.done()
				return f.callerErr
			}
			f.r.Start += int64(n)
			a.body.visit.used += int64(n)
		}
		if err != nil && f.r.Start < f.r.End {
			return f.early(a, err)
		}
	}
	a.body.done()
	return nil
}
