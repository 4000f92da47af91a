package zsyncclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

const (
	// surePart is how much of a control file is held back, in bytes, until its
	// header has been looked at again.
	surePart = 1 << 20
	// surePrefix is how long a header is looked at as a whole, in bytes.
	surePrefix = 16 << 10
	// surePause is the time between two tries to look at it.
	surePause = 100 * time.Millisecond
)

// surely is run, but what it delivers stands in the same file as the header of
// ctl. Records of another version would pass as well as those of this one: its
// blocks would then be let in among this one's.
func (f *controlFetch) surely(ctx context.Context) error {
	if len(f.ctl.Raw) == 0 {
		return f.run(ctx)
	}
	fetch := f.confirmed
	if f.ctl.Validators.certain() {
		f.strict, fetch = true, f.run
	}
	err := fetch(ctx)
	if !errors.Is(err, ErrTargetChanged) || f.callerErr != nil {
		return err
	}
	// Two edges of a network may disagree, the same file was put there again, or an
	// answer did not say what it is of.
	now, headerErr := f.sameHeader(ctx)
	if headerErr != nil {
		return err
	}
	f.ctl = now
	return f.confirmed(ctx)
}

// confirmed is run by parts. Each is delivered when the header, asked for after
// it, is still ctl's: a version that was replaced does not come back.
func (f *controlFetch) confirmed(ctx context.Context) error {
	for f.r.Start < f.r.End {
		var part []byte
		once := controlFetch{c: f.c, ctl: f.ctl, edges: true, patience: f.patience,
			r: format.Range{Start: f.r.Start, End: min(f.r.Start+surePart, f.r.End)}}
		once.deliver = func(_ int64, p []byte) error {
			part = append(part, p...)
			return nil
		}
		if err := once.run(ctx); err != nil {
			return err
		}
		if _, err := f.sameHeader(ctx); err != nil {
			return err
		}
		if err := f.hand(part); err != nil {
			return err
		}
	}
	return nil
}

// hand delivers part, the next bytes, in pieces.
func (f *controlFetch) hand(part []byte) error {
	for len(part) > 0 {
		n := min(len(part), runSize)
		if f.callerErr = f.deliver(f.r.Start, part[:n]); f.callerErr != nil {
			return f.callerErr
		}
		f.r.Start += int64(n)
		part = part[n:]
	}
	return nil
}

// headerNow is ctl as it is there now; nil when its header is another. Of one with a
// long Z-Map2 only the lines before the map are looked at: they have the digests.
func (f *controlFetch) headerNow(ctx context.Context) (*Control, error) {
	if i := bytes.Index(f.ctl.Raw, []byte(zmapName)); i >= 0 && len(f.ctl.Raw) > surePrefix {
		return f.linesNow(ctx, f.ctl.Raw[:i])
	}
	now, err := f.c.FetchControl(ctx, f.ctl.URL, Validators{}, f.ctl.Header.Size)
	if err != nil || !bytes.Equal(now.Raw, f.ctl.Raw) {
		return nil, err
	}
	return now, nil
}

// linesNow is headerNow by lines, with which the header begins.
func (f *controlFetch) linesNow(ctx context.Context, lines []byte) (*Control, error) {
	var now *Control
	err := patiently(ctx, func(wait time.Duration) error {
		r := &controlReader{c: f.c, ctx: ctx, url: f.ctl.URL, patience: wait}
		defer r.close()
		if err := r.open(Validators{}, int64(len(lines))); err != nil {
			return err
		}
		got := make([]byte, len(lines))
		n, err := io.ReadFull(r, got)
		if r.err != nil {
			return r.err
		}
		if err == nil && bytes.Equal(got[:n], lines) && (r.v.Length < 0 || r.v.Length == f.ctl.Validators.Length || f.ctl.Validators.Length < 0) {
			same := *f.ctl
			same.Validators, same.Final = r.v, r.final
			now = &same
		}
		return nil
	})
	f.c.doubt(f.ctl.URL, err)
	return now, err
}

// sameHeader asks for the header, which must be ctl's. Errors: ErrTargetChanged;
// those of FetchControl, temporary ones when f's patience or ctx ends.
func (f *controlFetch) sameHeader(ctx context.Context) (*Control, error) {
	for {
		now, err := f.headerNow(ctx)
		switch {
		case err == nil && now == nil:
			f.c.doubt(f.ctl.URL, ErrTargetChanged)
			return nil, fmt.Errorf("%w: control file %s has another header", ErrTargetChanged, Redact(f.ctl.URL))
		case err == nil:
			return now, nil
		case !temporary(err) || f.patience > 0:
			return nil, err
		}
		select {
		case <-time.After(surePause):
		case <-ctx.Done():
			return nil, endedError(ctx.Err(), err)
		}
	}
}
