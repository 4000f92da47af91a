package zsyncclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// FetchWholeControl fetches the control file at u with all of its records in one
// request, without Range. A body that breaks within the header is asked for again
// for two seconds at most; one that breaks within the records is continued by
// range, until none of it came for a third more than Options.StallTimeout, or ctx
// ends. Memory grows as bytes arrive, up to what the header
// announces; bytes after the last record are not read, but for 64 KiB that keep
// the connection. prev zero: unconditional.
//
// Errors: those of FetchControl and of FetchControlRange.
func (c *Client) FetchWholeControl(ctx context.Context, u *url.URL, prev Validators) (*Control, error) {
	for again := true; ; again = false {
		ctl, err := c.wholeControl(ctx, u, prev)
		if again && errors.Is(err, ErrTargetChanged) {
			continue // replaced between two requests
		}
		if err != nil {
			return nil, fmt.Errorf("fetch control file %s: %w", Redact(u), err)
		}
		return ctl, nil
	}
}

func (c *Client) wholeControl(ctx context.Context, u *url.URL, prev Validators) (*Control, error) {
	var ctl *Control
	err := patiently(ctx, func(wait time.Duration) error {
		r := &controlReader{c: c, ctx: ctx, url: u, patience: wait}
		defer r.close()
		err := r.open(prev, 0)
		if err == nil {
			ctl, err = r.whole()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	h := ctl.Header
	have := h.Size + int64(len(ctl.Records))
	if have < h.ControlLength() {
		rest := format.Range{Start: have, End: h.ControlLength()}
		f := &controlFetch{c: c, ctl: ctl, r: rest, patience: c.opt.StallTimeout * 4 / 3}
		f.deliver = func(_ int64, p []byte) error {
			ctl.Records = appendBounded(ctl.Records, p, h.ControlLength()-h.Size)
			return nil
		}
		err = f.surely(ctx)
	}
	return ctl, err
}

// whole reads the header and the records; fewer than all of them when the network
// failed there.
func (r *controlReader) whole() (*Control, error) {
	h, err := format.ReadHeader(bufio.NewReaderSize(r, 16<<10))
	if r.err != nil {
		return nil, r.err
	}
	if err == nil && r.v.Length >= 0 {
		err = h.CheckControlSize(r.v.Length)
	}
	if err != nil {
		return nil, err
	}
	ctl := &Control{URL: r.url, Final: r.final, Header: h, Validators: r.v}
	r.kept = true
	if err := readOn(r, &r.got, h.ControlLength()); err == io.EOF {
		ctl.Validators.Length = int64(len(r.got))
		err = h.CheckControlSize(ctl.Validators.Length)
		if err != nil {
			return nil, err
		}
	}
	ctl.takeBytes(r.got)
	return ctl, nil
}

// takeBytes makes the first bytes of the control file its Raw and Records.
func (ctl *Control) takeBytes(p []byte) {
	h := ctl.Header
	have := min(int64(len(p)), h.ControlLength())
	have -= max(have-h.Size, 0) % h.RecordSize()
	ctl.Raw = p[:h.Size:h.Size]
	ctl.Records = p[h.Size:have:have]
}

// ReadControl reads a whole control file from r, whose URL or that of the place
// it came from is referrer: listed URLs are resolved against it, and it may be
// nil (see NewSource). Memory and bytes read are bounded as in FetchWholeControl.
// With a URL that is no control file's, FetchControlRange is not to be used.
//
// Errors: *format.ParseError, also when r is too short for its records;
// *format.ShortError; r's, wrapped.
func ReadControl(r io.Reader, referrer *url.URL) (*Control, error) {
	k := &keeper{r: r}
	h, err := format.ReadHeader(bufio.NewReaderSize(k, 16<<10))
	if err != nil {
		return nil, err
	}
	ctl := &Control{URL: referrer, Final: referrer, Header: h, Validators: Validators{Length: -1}}
	switch err := readOn(k, &k.got, h.ControlLength()); {
	case err == io.EOF:
		if err := h.CheckControlSize(int64(len(k.got))); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("read control file: %w", err)
	}
	ctl.takeBytes(k.got)
	return ctl, nil
}

// keeper keeps what was read of r.
type keeper struct {
	r   io.Reader
	got []byte
}

func (k *keeper) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	k.got = append(k.got, p[:n]...)
	return n, err
}

// readOn reads r, which appends what it reads to *got, until that has total bytes.
func readOn(r io.Reader, got *[]byte, total int64) error {
	p := pieces.Get().(*[]byte)
	defer pieces.Put(p)
	for int64(len(*got)) < total {
		*got = growBounded(*got, len(*p), total)
		if _, err := r.Read((*p)[:min(int64(len(*p)), total-int64(len(*got)))]); err != nil {
			return err
		}
	}
	return nil
}

func appendBounded(b, p []byte, total int64) []byte {
	return append(growBounded(b, len(p), total), p...)
}

// growBounded makes room for n bytes more in b, doubling it, but not beyond
// total: the copies of a large file's records would be felt.
func growBounded(b []byte, n int, total int64) []byte {
	if cap(b)-len(b) >= n || int64(cap(b)) >= total {
		return b
	}
	size := min(max(2*int64(cap(b)), int64(len(b)+n)), total)
	return append(make([]byte, 0, size), b...)
}
