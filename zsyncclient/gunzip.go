package zsyncclient

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// maxPacked bounds what is read of the gzip copy of a target of length bytes.
// Even data that do not shrink stay far below it; without a bound a copy of empty
// members could be read for ever and yield nothing.
func maxPacked(length int64) int64 { return 2*length + 1<<20 }

// gunzip decompresses a body, with all members of the gzip file one after the
// other. It reads at most most bytes of it.
type gunzip struct {
	b    *body
	size int64 // of the body; -1 unknown
	most int64
	want int64 // that the target has
	got  int64 // decompressed so far
	z    *gzip.Reader
}

// Read decompresses on. Errors: io.EOF after the last member; *LengthError when
// that comes before the target's end; io.ErrUnexpectedEOF where the connection
// may have broken; a refusal for what is not gzip; the body's.
func (g *gunzip) Read(p []byte) (int, error) {
	var err error
	if g.z == nil {
		g.z, err = gzip.NewReader(bufio.NewReaderSize(packed{g}, 64<<10))
		if err != nil {
			return 0, g.explain(err)
		}
	}
	n, err := g.z.Read(p)
	g.got += int64(n)
	switch {
	case err == io.EOF && g.got < g.want:
		err = &LengthError{Want: g.want, Got: g.got}
	case err != nil && err != io.EOF:
		err = g.explain(err)
	}
	return n, err
}

// explain says what really stopped the decompression.
func (g *gunzip) explain(err error) error {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return err
	case g.b.err != nil && g.b.err != io.EOF:
		return g.b.err
	case g.b.err == io.EOF && g.size < 0 && (err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)):
		return io.ErrUnexpectedEOF
	}
	return refuse("the gzip copy is damaged: %w", err)
}

// packed is the body behind a gunzip, as far as it may be read.
type packed struct{ g *gunzip }

func (r packed) Read(p []byte) (int, error) {
	left := r.g.most - r.g.b.read
	if left <= 0 {
		return 0, refuse("the gzip copy is longer than %d bytes", r.g.most)
	}
	return r.g.b.Read(p[:min(int64(len(p)), left)])
}
