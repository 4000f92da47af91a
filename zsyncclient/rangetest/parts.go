package rangetest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Frame is an answer to several ranges before it is sent: multipart/byteranges as
// nginx makes it. Rule.Frame may change all of it.
type Frame struct {
	// ContentType of the answer; it names the boundary.
	ContentType string
	// Start stands before the first part's header, Between before each other
	// one's, End after the last part. They hold the boundary and its line ends.
	Start, Between, End string
	Parts               []Part
	// ContentRange of the answer; with one it is no multipart answer any more, and
	// only the bytes of the parts are sent.
	ContentRange string
}

// Part is one part of a Frame.
type Part struct {
	// Header with all of its line ends.
	Header string
	// From and To are the bytes of the file, To not among them.
	From, To int64
}

const edge = "00000000000000000017"

// NewPart is the part with bytes [from, to) of a file of size bytes.
func NewPart(from, to, size int64) Part {
	return Part{From: from, To: to, Header: fmt.Sprintf(
		"Content-Type: application/octet-stream\r\nContent-Range: bytes %d-%d/%d\r\n\r\n", from, to-1, size)}
}

func newFrame(parts []Part) *Frame {
	return &Frame{ContentType: "multipart/byteranges; boundary=" + edge, Parts: parts,
		Start: "\r\n--" + edge + "\r\n", Between: "\r\n--" + edge + "\r\n", End: "\r\n--" + edge + "--\r\n"}
}

// several reads a Range header of two or more ranges; nil of anything else.
func several(h string, size int64) []Part {
	specs := strings.Split(strings.TrimPrefix(h, "bytes="), ",")
	if !strings.HasPrefix(h, "bytes=") || len(specs) < 2 {
		return nil
	}
	var parts []Part
	for _, spec := range specs {
		from, to, kind := parseRange("bytes="+strings.TrimSpace(spec), size)
		switch kind {
		case wholeFile:
			return nil
		case oneRange:
			parts = append(parts, NewPart(from, to, size))
		}
	}
	return parts
}

// serveParts answers with f.
func (rep *reply) serveParts(content io.ReaderAt, f *Frame, rule *Rule) {
	rep.code = http.StatusPartialContent
	rep.header.Set("Content-Type", f.ContentType)
	if f.ContentRange != "" {
		rep.header.Set("Content-Range", f.ContentRange)
		f.Start, f.Between, f.End = "", "", ""
	}
	var body []io.Reader
	add := func(text string) {
		body = append(body, strings.NewReader(text))
		rep.length += int64(len(text))
	}
	for i, p := range f.Parts {
		if i == 0 {
			add(f.Start)
		} else {
			add(f.Between)
		}
		if f.ContentRange == "" {
			add(p.Header)
		}
		data := io.Reader(io.NewSectionReader(content, p.From, p.To-p.From))
		if rule.Fault == Flip {
			data = &flipper{r: data, off: p.From, at: rule.After, every: rule.Every}
		}
		body = append(body, data)
		rep.length += p.To - p.From
	}
	add(f.End)
	rep.body, rep.parts = io.MultiReader(body...), true
}
