package making

import (
	"context"
	"errors"
	"fmt"
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

const (
	// readLength is the number of bytes that are read at a time. The checksums
	// are computed on several cores when they get a MiB or more.
	readLength = 2 << 20

	// clockTick is longer than the step of the clock that the kernel stamps
	// files with: two changes within one step leave the same times.
	clockTick = 20 * time.Millisecond
)

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
}

// Write reads f from its start and writes its control file to w, after the
// last byte was read. It keeps 20 bytes for each block in memory.
//
// Errors: ErrNotRegular; ErrChanged; ctx.Err() soon after ctx ends; those of
// reading and writing.
func Write(ctx context.Context, f *os.File, o Options, w io.Writer) (Fingerprint, error) {
	before, err := settled(ctx, f)
	if err != nil {
		return Fingerprint{}, err
	}
	b, err := format.NewBuilder(builderOptions(f.Name(), before, o))
	if err != nil {
		return Fingerprint{}, err
	}
	if err := feed(ctx, b, f, before); err != nil {
		return Fingerprint{}, err
	}
	_, err = b.WriteTo(w)
	return before, err
}

func fingerprint(f *os.File) (Fingerprint, error) {
	info, err := f.Stat()
	if err != nil {
		return Fingerprint{}, err
	}
	return FingerprintOf(info)
}

// settled is the fingerprint of f once any later change must show in it. A
// file that was written a moment ago is waited for.
func settled(ctx context.Context, f *os.File) (Fingerprint, error) {
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
	if !carriable(name) {
		name = "" // the URL still leads to it
	}
	mtime := time.Unix(0, p.MTime)
	if year := mtime.UTC().Year(); year < 1 || year > 9999 {
		mtime = time.Time{}
	}
	return format.BuilderOptions{
		Filename:       name,
		MTime:          mtime,
		BlockSize:      o.BlockSize,
		ExpectedLength: p.Length,
		URLs:           urls,
	}
}

// carriable: a header's value is one line, and readers drop spaces at its end.
func carriable(name string) bool {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	return strings.IndexFunc(name, control) < 0 && !strings.HasSuffix(name, " ")
}

// feed writes all of f to b. Between pieces it looks at ctx, and at the
// fingerprint of f: no use in reading on when that is no longer want.
func feed(ctx context.Context, b *format.Builder, f *os.File, want Fingerprint) error {
	buf := make([]byte, min(readLength, max(want.Length, 1)))
	for off := int64(0); off < want.Length; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), want.Length-off)], off)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if now, err := fingerprint(f); err != nil || now != want || n == 0 {
			return errors.Join(ErrChanged, err)
		}
		if _, err := b.Write(buf[:n]); err != nil {
			return fmt.Errorf("compute checksums: %w", err)
		}
		off += int64(n)
	}
	return nil
}
