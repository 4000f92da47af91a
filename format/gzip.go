package format

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zsyncfs/zsyncfs/format/inflate"
)

// minGzipHeader is the length of the shortest header of a gzip file, in bytes.
const minGzipHeader = 10

// maxGzipHeader bounds what is read of a header, in bytes.
const maxGzipHeader = 64 << 10

// Flags of a gzip header (RFC 1952).
const (
	gzipHeaderCRC = 1 << 1
	gzipExtra     = 1 << 2
	gzipName      = 1 << 3
	gzipComment   = 1 << 4
	gzipReserved  = 0xe0
)

// ErrNotGzip: the file does not start as a gzip file does.
var ErrNotGzip = errors.New("not a gzip file")

// GzipHeader is the header of a gzip file's first member (RFC 1952).
type GzipHeader struct {
	Raw   []byte    // all of it
	Name  string    // as written; "" when absent
	Named bool      // it has a name, perhaps an empty one
	MTime time.Time // zero when absent
	// Odd: it has parts beside a name, which zsync 0.6.2 cannot pass over.
	Odd bool
}

// ReadGzipHeader reads the header that r starts with. Errors: ErrNotGzip, also
// wrapped; those of r.
func ReadGzipHeader(r *bufio.Reader) (*GzipHeader, error) {
	h := &GzipHeader{Raw: make([]byte, minGzipHeader)}
	if _, err := io.ReadFull(r, h.Raw); err != nil {
		return nil, shortGzip(err)
	}
	if h.Raw[0] != 0x1f || h.Raw[1] != 0x8b {
		return nil, ErrNotGzip
	}
	flags := h.Raw[3]
	if h.Raw[2] != 8 || flags&gzipReserved != 0 {
		return nil, fmt.Errorf("%w: of a kind that nobody knows", ErrNotGzip)
	}
	if t := binary.LittleEndian.Uint32(h.Raw[4:]); t != 0 {
		h.MTime = time.Unix(int64(t), 0).UTC()
	}
	h.Odd = flags&(gzipHeaderCRC|gzipExtra|gzipComment) != 0
	if flags&gzipExtra != 0 {
		size, err := h.more(r, 2)
		if err == nil {
			_, err = h.more(r, int(binary.LittleEndian.Uint16(size)))
		}
		if err != nil {
			return nil, shortGzip(err)
		}
	}
	if flags&gzipName != 0 {
		name, err := h.text(r)
		if err != nil {
			return nil, err
		}
		h.Name, h.Named = name, true
	}
	if flags&gzipComment != 0 {
		if _, err := h.text(r); err != nil {
			return nil, err
		}
	}
	if flags&gzipHeaderCRC != 0 {
		if _, err := h.more(r, 2); err != nil {
			return nil, shortGzip(err)
		}
	}
	return h, nil
}

// more reads n more bytes of the header.
func (h *GzipHeader) more(r *bufio.Reader, n int) ([]byte, error) {
	start := len(h.Raw)
	h.Raw = append(h.Raw, make([]byte, n)...)
	_, err := io.ReadFull(r, h.Raw[start:])
	return h.Raw[start:], err
}

// text reads a text up to its zero byte.
func (h *GzipHeader) text(r *bufio.Reader) (string, error) {
	start := len(h.Raw)
	for len(h.Raw)-start < maxGzipHeader {
		c, err := r.ReadByte()
		if err != nil {
			return "", shortGzip(err)
		}
		h.Raw = append(h.Raw, c)
		if c == 0 {
			return string(h.Raw[start : len(h.Raw)-1]), nil
		}
	}
	return "", fmt.Errorf("%w: a text in its header is longer than %d bytes", ErrNotGzip, maxGzipHeader)
}

func shortGzip(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends within its header", ErrNotGzip)
	}
	return err
}

// MapGzip decodes the deflate stream of the gzip file whose header, h, has just
// been read from r, writes the target to w, and makes the map with points about
// every blockSize bytes. The trailer is next in r, as far as ReadGzipTrailer
// can reach it: r must be the reader that h came from.
//
// Errors: ErrZMapGap (wrapped); those of inflate.Decoder, r and w.
func MapGzip(h *GzipHeader, r *bufio.Reader, blockSize int64, w io.Writer) (raw []byte, end ZPoint, err error) {
	var b ZMapBuilder
	p, err := inflate.Trace(r, 8*int64(len(h.Raw)), blockSize, w, func(p inflate.Point) error { return b.Add(ZPoint(p)) })
	if err != nil {
		return nil, ZPoint{}, err
	}
	end = ZPoint(p)
	raw, err = b.Finish(end)
	return raw, end, err
}
