package seed

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// ScanFile scans the regular file at path. What gzip compressed is scanned
// decompressed, unless targetName shows by .gz or .tgz that the target is
// compressed as well; when nothing was found so, the file is scanned as it is.
//
// A compressed file that cannot be decompressed to its end is no error: see
// Stats.Broken. Errors beside those of Scan: *NotRegularError; of opening path.
func (x *Index) ScanFile(ctx context.Context, path, targetName string, missing *Missing, deliver Deliver, o Options) (Stats, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return Stats{}, err
	}
	defer f.Close()
	if isCompressedName(targetName) || !isGzip(f) {
		return x.Scan(ctx, f, size, missing, deliver, o)
	}
	stats, found, err := x.scanGzip(ctx, io.NewSectionReader(f, 0, size), missing, deliver, o)
	if err != nil || found {
		return stats, err
	}
	raw, err := x.Scan(ctx, f, size, missing, deliver, o)
	raw.Found += stats.Found
	raw.Scanned += stats.Scanned
	raw.Broken = stats.Broken
	return raw, err
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

// scanGzip scans what r is decompressed. found says whether any block came from
// it, beside those of zeros.
func (x *Index) scanGzip(ctx context.Context, r io.Reader, missing *Missing, deliver Deliver, o Options) (stats Stats, found bool, err error) {
	s := x.newScan(wholeSeed, missing, deliver, o)
	if !s.begin(ctx) {
		stats, err = s.result(ctx)
		return stats, true, err
	}
	before := s.found.Load()
	z := &gzipReader{source: bufio.NewReaderSize(r, 256<<10)}
	s.stream(ctx, z)
	stats, err = s.result(ctx)
	stats.Broken = z.broken
	return stats, s.found.Load() > before, err
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
