package download

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// errOtherGzip: gzip made another file than the one that was published.
var errOtherGzip = errors.New("this machine's gzip makes another file than the one that was published")

// errGzipKilled: a signal ended gzip.
var errGzipKilled = errors.New("gzip was ended by a signal")

// NotPackedError: the published gzip file cannot be made of the target, which is
// delivered at PlainPath. Options.Warn is told.
type NotPackedError struct {
	Path, PlainPath string
	Err             error
}

func (e *NotPackedError) Error() string {
	return fmt.Sprintf("%s cannot be made, so its content is delivered as %s: %v", e.Path, e.PlainPath, e.Err)
}
func (e *NotPackedError) Unwrap() error { return e.Err }

// unpackedPath is where the target goes as it is.
func (d *Download) unpackedPath() string {
	if d.o.Packed {
		return d.o.PlainPath
	}
	return d.o.Path
}

// packedCurrent says whether Path is the published gzip file: by its header, its map
// and the digests of its content.
func (d *Download) packedCurrent(ctx context.Context) (bool, error) {
	how, err := format.ParseRecompress(d.h.Recompress)
	if err != nil || refuseOdd(d.o.Path, false) != nil {
		return false, nil
	}
	f, err := os.Open(d.o.Path)
	if err != nil {
		return false, nil
	}
	defer f.Close()
	in := bufio.NewReaderSize(&untilDone{ctx, f}, 256<<10)
	h, err := format.ReadGzipHeader(in)
	if err != nil || !bytes.Equal(h.Raw, how.Header) {
		return false, nil
	}
	d.begin(Checking, d.o.Path, d.geo.Length)
	v := d.h.NewFileVerifier()
	var length countWriter
	raw, end, err := format.MapGzip(h, in, d.h.BlockSize, io.MultiWriter(&length, v))
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	info, statErr := f.Stat()
	if err != nil || statErr != nil || !bytes.Equal(raw, d.h.ZMap) || int64(length) != d.geo.Length {
		return false, nil
	}
	const trailer = 8
	return info.Size() == (end.Bit+7)/8+trailer && v.Check() == nil, nil
}

// untilDone reads r until ctx ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// pack makes the published gzip file of the complete, verified target, and is its
// path. When that fails, the target itself is what is delivered, at PlainPath.
//
// Errors: those of PlainPath; ctx's.
func (d *Download) pack(ctx context.Context) (string, error) {
	d.begin(Compressing, d.o.Path, d.geo.Length)
	path := d.partPath() + ".gz"
	err := d.packTo(ctx, path)
	if err == nil {
		return path, nil
	}
	if err := os.Remove(path); err != nil && !isMissingFile(err) {
		d.o.Warn(err)
	}
	if errors.Is(err, errGzipKilled) {
		select { // who ended it mostly ends us, too
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if errors.Is(err, errGzipKilled) {
		return "", err
	}
	d.o.Warn(&NotPackedError{Path: d.o.Path, PlainPath: d.o.PlainPath, Err: err})
	d.o.Path = d.o.PlainPath
	return d.partPath(), refuseOdd(d.o.Path, true)
}

// packTo runs gzip(1), as no library makes the same bytes.
func (d *Download) packTo(ctx context.Context, path string) (err error) {
	how, err := format.ParseRecompress(d.h.Recompress)
	if err != nil {
		return err
	}
	if err := refuseOdd(path, false); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, d.partMode())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := bufio.NewWriterSize(out, 256<<10)
	check := d.newPackCheck()
	cmd := exec.CommandContext(ctx, "gzip", append([]string{"-n", "-c"}, how.Options...)...)
	cmd.Env = append(os.Environ(), "GZIP=") // options of the user would make another file
	cmd.Stdin = &progressReader{d: d, r: io.NewSectionReader(d.out, 0, d.geo.Length)}
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.Stdout = &headerSwap{w: io.MultiWriter(w, check), header: how.Header}
	runErr := cmd.Run()
	checkErr := check.end()
	var exit *exec.ExitError
	switch text := strings.TrimSpace(said.String()); {
	case checkErr != nil && (runErr == nil || errors.Is(checkErr, errOtherGzip)): // then gzip may have met a closed pipe
		return checkErr
	case errors.As(runErr, &exit) && exit.ExitCode() < 0:
		return errGzipKilled
	case runErr != nil && text != "":
		return fmt.Errorf("%w: %s", runErr, text)
	case runErr != nil:
		return runErr
	}
	return w.Flush()
}

// progressReader counts what gzip takes.
type progressReader struct {
	d *Download
	r io.Reader
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.d.done.Add(int64(n))
	return n, err
}

// gzipHeaderSize is the length of the header that gzip -n writes.
const gzipHeaderSize = 10

// headerSwap puts header in place of the first bytes.
type headerSwap struct {
	w      io.Writer
	header []byte
	passed int
}

func (s *headerSwap) Write(p []byte) (int, error) {
	rest := p
	if s.passed < gzipHeaderSize {
		n := min(len(rest), gzipHeaderSize-s.passed)
		rest = rest[n:]
		if s.passed += n; s.passed == gzipHeaderSize {
			if _, err := s.w.Write(s.header); err != nil {
				return 0, err
			}
		}
	}
	_, err := s.w.Write(rest)
	return len(p), err
}

// packCheck compares what gzip makes with the map of the published file: its
// content, where each of its blocks starts, and its length. Two files of which all
// that is the same are the same but by intent.
type packCheck struct {
	*io.PipeWriter
	done chan error
}

func (d *Download) newPackCheck() *packCheck {
	r, w := io.Pipe()
	c := &packCheck{PipeWriter: w, done: make(chan error, 1)}
	go func() {
		err := d.checkPacked(r)
		r.CloseWithError(err) // nil: what is written then meets an error too
		c.done <- err
	}()
	return c
}

// end says what the comparison came to.
func (c *packCheck) end() error {
	c.Close()
	return <-c.done
}

func (d *Download) checkPacked(r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	h, err := format.ReadGzipHeader(in)
	if err != nil {
		return err
	}
	var length countWriter
	raw, _, err := format.MapGzip(h, in, d.h.BlockSize, &length)
	if err != nil {
		return err
	}
	if !bytes.Equal(raw, d.h.ZMap) || int64(length) != d.geo.Length {
		return errOtherGzip
	}
	// The trailer may be in the decoder's buffer: what is left are at most its bytes.
	_, err = io.Copy(io.Discard, in)
	return err
}

// countWriter counts.
type countWriter int64

func (c *countWriter) Write(p []byte) (int, error) {
	*c += countWriter(len(p))
	return len(p), nil
}
