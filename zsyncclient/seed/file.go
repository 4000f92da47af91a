package seed

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"

	"github.com/zsyncfs/zsyncfs/format"
)

// ScanFile scans the regular file at path. What gzip compressed is scanned
// decompressed, unless targetName shows by .gz or .tgz that the target is
// compressed as well. When blocks are still missing then, it is scanned as it is:
// that costs little beside decompressing, and names do not always tell. Stats has
// the bytes of both scans; Progress is told of bytes of the file. What was found in
// decompressed data is delivered without a place.
//
// A file that cannot be decompressed to its end, or that becomes shorter, is no
// error: see Stats.Broken. Errors beside those of Scan: *NotRegularError; of opening path.
func (x *Index) ScanFile(ctx context.Context, path, targetName string, missing *Missing, deliver Deliver, o Options) (Stats, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return Stats{}, err
	}
	defer f.Close()
	if isCompressedName(targetName) || !isGzip(f) {
		return x.scanAsIs(ctx, f, size, missing, deliver, o)
	}
	packed := &countingReader{r: io.NewSectionReader(f, 0, size)}
	z := &gzipReader{source: bufio.NewReaderSize(packed, 256<<10)}
	unpacked := o
	if o.Progress != nil {
		unpacked.Progress = func(int64) { o.Progress(packed.n.Load()) }
	}
	unplaced := func(first format.BlockID, data []byte, _ int64) error { return deliver(first, data, nowhere) }
	stats, err := x.ScanReader(ctx, z, missing, unplaced, unpacked)
	stats.Broken = z.broken
	if err != nil || missing.Count() == 0 {
		return stats, err
	}
	o.Progress = nil // all of the file counts already
	raw, err := x.scanAsIs(ctx, f, size, missing, deliver, o)
	if stats.Broken == nil {
		stats.Broken = raw.Broken
	}
	return Stats{Scanned: stats.Scanned + raw.Scanned, Found: stats.Found + raw.Found, Broken: stats.Broken}, err
}

var errShrunk = errors.New("the file became shorter while it was scanned")

// scanAsIs is Scan for a file that somebody may be changing.
func (x *Index) scanAsIs(ctx context.Context, f *os.File, size int64, missing *Missing, deliver Deliver, o Options) (Stats, error) {
	stats, err := x.Scan(ctx, f, size, missing, deliver, o)
	if errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() == nil {
		stats.Broken, err = errShrunk, nil
	}
	return stats, err
}

// countingReader counts the bytes that were read of r.
type countingReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// openRegular opens what is a regular file, and waits for nothing else.
func openRegular(path string) (*os.File, int64, error) {
	// Opening a FIFO would wait for a writer; the second look is for what was put
	// into its place meanwhile.
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = &NotRegularError{Path: path, Mode: info.Mode()}
	}
	if err != nil {
		return nil, 0, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = &NotRegularError{Path: path, Mode: info.Mode()}
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// isCompressedName says whether name is one of gzip's.
func isCompressedName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".tgz")
}

// isGzip says whether f begins as gzip's files do.
func isGzip(f io.ReaderAt) bool {
	var magic [2]byte
	n, _ := f.ReadAt(magic[:], 0)
	return n == len(magic) && magic == [2]byte{0x1f, 0x8b}
}

// gzipReader decompresses source. A fault of the compressed data is an end, and
// kept; one of source itself is an error.
type gzipReader struct {
	source *bufio.Reader
	z      *gzip.Reader
	broken error
}

func (g *gzipReader) Read(p []byte) (int, error) {
	var err error
	if g.z == nil {
		if g.z, err = gzip.NewReader(g.source); err != nil {
			return 0, g.end(err)
		}
	}
	n, err := g.z.Read(p)
	if err != nil {
		err = g.end(err)
	}
	return n, err
}

// end is what Read returns for err.
func (g *gzipReader) end(err error) error {
	var path *os.PathError
	if errors.Is(err, io.EOF) || errors.As(err, &path) {
		return err
	}
	g.broken = err
	return io.EOF
}
