package making

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// ErrChanged: the target changed while it was read, so its control file would
// describe a file that never was.
var ErrChanged = errors.New("the file changed while it was read")

// clockTick is longer than the step of the clock that the kernel stamps files
// with: two changes within one step leave the same times.
const clockTick = 20 * time.Millisecond

// Options for Write and UpToDate. The zero value works.
type Options struct {
	// BlockSize in bytes: a power of two in [format.MinBlockSize,
	// format.MaxBlockSize]. Default: by the length of the target.
	BlockSize int64
	// Filename is the name that the control file gives the target. Default:
	// the base name of the file read; none when it has characters that a
	// control file cannot carry.
	Filename string
	// URLs are where the target will be, relative to the control file's own URL
	// or absolute. Default: RelativeURL of Filename.
	URLs []string
	// Progress is told of bytes of the target as they are read, from one goroutine at a
	// time. nil: nobody wants to know.
	Progress func(n int64)
}

// Write reads f from its start and writes its control file to w, after the
// last byte was read. It keeps 20 bytes for each block in memory.
//
// Errors: ErrNotRegular; ErrChanged; ctx.Err() soon after ctx ends; those of
// reading and writing.
func Write(ctx context.Context, f *os.File, o Options, w io.Writer) (Fingerprint, error) {
	before, err := Settled(ctx, f)
	if err != nil {
		return Fingerprint{}, err
	}
	b, err := format.NewBuilder(builderOptions(f.Name(), before, o))
	if err != nil {
		return Fingerprint{}, err
	}
	if err := Feed(ctx, told{b, o.Progress}, f, before); err != nil {
		return Fingerprint{}, err
	}
	_, err = b.WriteTo(w)
	return before, err
}

// told is a writer that tells of what is written.
type told struct {
	io.Writer
	tell func(n int64)
}

func (t told) Write(p []byte) (int, error) {
	n, err := t.Writer.Write(p)
	if t.tell != nil {
		t.tell(int64(n))
	}
	return n, err
}

func fingerprint(f *os.File) (Fingerprint, error) {
	info, err := f.Stat()
	if err != nil {
		return Fingerprint{}, err
	}
	return FingerprintOf(info)
}

// Settled is the fingerprint of f once any later change must show in it. A
// file that was written a moment ago is waited for, some milliseconds.
//
// Errors: ErrNotRegular; ctx.Err(); those of asking for f's state.
func Settled(ctx context.Context, f *os.File) (Fingerprint, error) {
	for {
		p, err := fingerprint(f)
		if err != nil {
			return Fingerprint{}, err
		}
		age := time.Since(time.Unix(0, p.CTime))
		if age < 0 || age > clockTick { // below 0: the clock was set back
			return p, nil
		}
		select {
		case <-ctx.Done():
			return Fingerprint{}, ctx.Err()
		case <-time.After(clockTick - age + time.Millisecond):
		}
	}
}

func builderOptions(path string, p Fingerprint, o Options) format.BuilderOptions {
	name := o.Filename
	if name == "" {
		name = filepath.Base(path)
	}
	urls := o.URLs
	if len(urls) == 0 {
		urls = []string{RelativeURL(name)}
	}
	if !Carriable(name) {
		name = "" // the URL still leads to it
	}
	return format.BuilderOptions{
		Filename:       name,
		MTime:          CarriableTime(time.Unix(0, p.MTime)),
		BlockSize:      o.BlockSize,
		ExpectedLength: p.Length,
		URLs:           urls,
	}
}

// CarriableTime is t, or the zero time when a header could not carry t.
func CarriableTime(t time.Time) time.Time {
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		return time.Time{}
	}
	return t
}

// Carriable says whether a header can carry name: its value is one line, and
// readers drop spaces at its end.
func Carriable(name string) bool {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	return strings.IndexFunc(name, control) < 0 && !strings.HasSuffix(name, " ")
}
