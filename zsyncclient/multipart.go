package zsyncclient

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/textproto"
	"strings"
)

const (
	// maxPartHeader bounds the header of a part with the line before it, in bytes.
	maxPartHeader = 8 << 10
	// maxBoundary is RFC 2046's.
	maxBoundary = 70
)

// errParts: a multipart/byteranges body, or its header, breaks the rules.
var errParts = errors.New("multipart/byteranges answer")

// parts reads the frame of a multipart/byteranges body as it streams. The caller
// reads the bytes of each part, as many as its range says, from the same reader.
// The standard library's reader would look for boundaries in those bytes.
type parts struct {
	r        *bufio.Reader // at least maxPartHeader large
	boundary string
	single   bool         // the body is one range without a frame
	one      contentRange // and this is it
	count    int          // parts so far
}

// partsOf reads the header of a 206 to several ranges whose body r reads.
func partsOf(a *answer, r *bufio.Reader) (*parts, error) {
	kind, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if !strings.HasPrefix(kind, "multipart/") {
		cr, err := oneContentRange(a.header["Content-Range"])
		if err == nil && a.length >= 0 && a.length != cr.r.Length() {
			err = fmt.Errorf("%w: Content-Length %d for %v", errParts, a.length, cr.r)
		}
		return &parts{r: r, single: true, one: cr}, err
	}
	boundary := params["boundary"]
	if err != nil || kind != "multipart/byteranges" || !validBoundary(boundary) {
		return &parts{}, fmt.Errorf("%w: Content-Type %q", errParts, shorten(a.header.Get("Content-Type")))
	}
	return &parts{r: r, boundary: boundary}, nil
}

func validBoundary(s string) bool {
	return s != "" && len(s) <= maxBoundary && isPlain(s) && !strings.HasSuffix(s, " ")
}

func oneContentRange(values []string) (contentRange, error) {
	if len(values) != 1 {
		return contentRange{}, fmt.Errorf("%w: %d Content-Range headers", errParts, len(values))
	}
	cr, err := parseContentRange(values[0])
	if err != nil {
		err = fmt.Errorf("%w: Content-Range %q: %w", errParts, shorten(values[0]), err)
	}
	return cr, err
}

// next reads up to the first byte of the next part. Before, all bytes of the part
// before must have been read.
//
// Errors: io.EOF after the last part; errParts (wrapped) for a frame that breaks
// the rules; io.ErrUnexpectedEOF when the body ends within it; the body's.
func (p *parts) next() (contentRange, error) {
	p.count++
	if p.single {
		if p.count > 1 {
			return contentRange{}, io.EOF
		}
		return p.one, nil
	}
	left := maxPartHeader
	if last, err := p.delimiter(&left); last || err != nil {
		if err == nil {
			err = io.EOF
		}
		return contentRange{}, err
	}
	var ranges []string
	for {
		line, err := p.line(&left)
		if err != nil {
			return contentRange{}, err
		}
		if len(line) == 0 {
			return oneContentRange(ranges)
		}
		name, value, err := partField(line)
		switch {
		case err != nil:
			return contentRange{}, err
		case name == "Content-Range":
			ranges = append(ranges, value)
		case name == "Content-Encoding" && !strings.EqualFold(value, "identity"):
			return contentRange{}, fmt.Errorf("%w: a part with Content-Encoding %q", errParts, shorten(value))
		}
	}
}

// delimiter reads the boundary's line and the line end before it, which the body
// need not begin with; last says that it is the one after the last part.
func (p *parts) delimiter(left *int) (last bool, err error) {
	line, err := p.line(left)
	if err != nil {
		return false, err
	}
	if len(line) == 0 {
		if line, err = p.line(left); err != nil {
			return false, err
		}
	} else if p.count > 1 {
		return false, fmt.Errorf("%w: %q after a part's last byte", errParts, shorten(string(line)))
	}
	rest, ok := bytes.CutPrefix(line, []byte("--"+p.boundary))
	last = bytes.HasPrefix(rest, []byte("--"))
	if !ok || !last && len(bytes.TrimRight(rest, " \t")) > 0 {
		return false, fmt.Errorf("%w: %q where a boundary should be", errParts, shorten(string(line)))
	}
	return last, nil
}

// line reads a line and cuts its end off, CRLF or a lone LF; left is what the
// frame may still take. The line is valid until the next read.
func (p *parts) line(left *int) ([]byte, error) {
	line, err := p.r.ReadSlice('\n')
	switch *left -= len(line); {
	case errors.Is(err, bufio.ErrBufferFull) || *left < 0:
		return nil, fmt.Errorf("%w: a part's header is longer than %d bytes", errParts, maxPartHeader)
	case err == io.EOF && bytes.Equal(line, []byte("--"+p.boundary+"--")):
		return line, nil
	case err == io.EOF:
		return nil, fmt.Errorf("within the frame of part %d: %w", p.count, io.ErrUnexpectedEOF)
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// partField splits a line of a part's header.
func partField(line []byte) (name, value string, err error) {
	n, v, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(n) == 0 || bytes.ContainsAny(n, " \t\r") {
		return "", "", fmt.Errorf("%w: %q in a part's header", errParts, shorten(string(line)))
	}
	return textproto.CanonicalMIMEHeaderKey(string(n)), string(bytes.Trim(v, " \t")), nil
}
