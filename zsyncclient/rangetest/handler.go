package rangetest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reply is an answer before it is sent.
type reply struct {
	code    int
	header  http.Header
	body    io.Reader
	length  int64 // of body; announced unless chunked
	start   int64 // offset of body in the file
	chunked bool
	parts   bool // multipart
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	entry, f, rule, delay, stopped := s.begin(r)
	defer s.end()
	if rule == nil {
		rule = &Rule{}
	}
	if rule.Fault != Drip {
		delay += rule.Delay
	}
	if !pause(r.Context(), stopped, delay) {
		return
	}
	if rule.Fault == StallHeader {
		pause(r.Context(), stopped, time.Hour)
		return
	}
	rep := &reply{header: http.Header{}}
	closer := s.answer(rep, rule, f, r)
	defer closer()
	rep.corrupt(rule)
	s.send(w, r, rep, rule, entry, stopped)
}

// answer fills rep as an honest server would, but for the faults that replace
// the answer as a whole. It returns what closes the file.
func (s *Server) answer(rep *reply, rule *Rule, f *file, r *http.Request) func() {
	nothing := func() {}
	switch rule.Fault {
	case Redirect:
		code := rule.Status
		if code == 0 {
			code = http.StatusFound
		}
		rep.text(code, "text/plain", "elsewhere\n")
		rep.header.Set("Location", rule.Text)
		return nothing
	case Status:
		rep.text(rule.Status, "text/plain", "refused by rule\n")
		return nothing
	case LoginPage:
		rep.text(http.StatusOK, "text/html", "<html><body><form>Please log in</form></body></html>\n")
		return nothing
	}
	if f == nil {
		rep.text(http.StatusNotFound, "text/plain", "no such file\n")
		return nothing
	}
	content, size, err := f.open()
	if err != nil {
		rep.text(http.StatusInternalServerError, "text/plain", err.Error())
		return nothing
	}
	if rule.Fault == ETag {
		g := *f
		g.etag = rule.Text
		f = &g
	}
	rep.serve(content, size, f, r, rule)
	return func() { _ = content.Close() }
}

func (rep *reply) text(code int, kind, text string) {
	rep.code, rep.body, rep.length = code, strings.NewReader(text), int64(len(text))
	rep.header.Set("Content-Type", kind)
}

// serve answers with conditions and ranges.
func (rep *reply) serve(content content, size int64, f *file, r *http.Request, rule *Rule) {
	rep.header.Set("Content-Type", "application/octet-stream")
	rep.header.Set("Accept-Ranges", "bytes")
	if f.etag != "" {
		rep.header.Set("ETag", f.etag)
	}
	if !f.modified.IsZero() {
		rep.header.Set("Last-Modified", f.modified.UTC().Format(http.TimeFormat))
	}
	if notModified(f, r) {
		rep.code, rep.body = http.StatusNotModified, strings.NewReader("")
		return
	}
	start, end, kind := parseRange(r.Header.Get("Range"), size)
	parts := several(r.Header.Get("Range"), size)
	ignoreRange := rule.Fault == IgnoreRange || rule.Fault == NoLength || rule.Whole
	if cond := r.Header.Get("If-Range"); ignoreRange || cond != "" && cond != f.etag {
		kind, parts = wholeFile, nil
	}
	if parts != nil {
		frame := newFrame(parts)
		if rule.Frame != nil {
			rule.Frame(frame)
		}
		rep.serveParts(content, frame, rule)
		return
	}
	rep.code = http.StatusOK
	switch kind {
	case wholeFile:
		start, end = 0, size
	case unsatisfied:
		rep.text(http.StatusRequestedRangeNotSatisfiable, "text/plain", "")
		rep.header.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return
	case oneRange:
		rep.code = http.StatusPartialContent
		rep.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, size))
	}
	_, _ = content.Seek(start, io.SeekStart)
	rep.body, rep.length, rep.start = io.LimitReader(content, end-start), end-start, start
}

func notModified(f *file, r *http.Request) bool {
	if match := r.Header.Get("If-None-Match"); match != "" {
		return f.etag != "" && strings.TrimPrefix(match, "W/") == strings.TrimPrefix(f.etag, "W/")
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !f.modified.IsZero() && !f.modified.Truncate(time.Second).After(since)
}

type rangeKind int

const (
	wholeFile rangeKind = iota
	oneRange
	unsatisfied
)

// parseRange reads a Range header of one range; of anything else it makes the
// whole file (several ranges: see several).
func parseRange(h string, size int64) (start, end int64, kind rangeKind) {
	spec, ok := strings.CutPrefix(h, "bytes=")
	first, last, ok2 := strings.Cut(spec, "-")
	if !ok || !ok2 || strings.Contains(spec, ",") {
		return 0, size, wholeFile
	}
	end = size
	if first == "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil {
			return 0, size, wholeFile
		}
		start = max(size-n, 0)
	} else {
		var err error
		if start, err = strconv.ParseInt(first, 10, 64); err != nil {
			return 0, size, wholeFile
		}
		if last != "" {
			n, err := strconv.ParseInt(last, 10, 62)
			if err != nil || n < start {
				return 0, size, wholeFile
			}
			end = min(n+1, size)
		}
	}
	if start >= size {
		return 0, 0, unsatisfied
	}
	return start, end, oneRange
}

// corrupt changes an honest reply by rule.
func (rep *reply) corrupt(rule *Rule) {
	for name, values := range rule.Header {
		rep.header[http.CanonicalHeaderKey(name)] = values
	}
	if rep.code != http.StatusOK && rep.code != http.StatusPartialContent {
		return
	}
	switch rule.Fault {
	case NoLength:
		rep.chunked = true
	case CleanShort:
		rep.body, rep.chunked = io.LimitReader(rep.body, rule.After), true
	case ContentRange:
		rep.header.Set("Content-Range", rule.Text)
	case Gzip:
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.Copy(z, rep.body)
		_ = z.Close()
		rep.body, rep.length = &b, int64(b.Len())
		rep.header.Set("Content-Encoding", "gzip")
	case Flip:
		if rep.parts {
			return // its parts are flipped already
		}
		rep.body = &flipper{r: rep.body, off: rep.start, at: rule.After, every: rule.Every}
	case Endless:
		rep.body, rep.chunked = io.MultiReader(rep.body, zeros{}), true
	case LongBody:
		rep.body, rep.chunked = io.MultiReader(rep.body, strings.NewReader(rule.Text)), true
	case Multipart:
		head := fmt.Sprintf("--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: %s\r\n\r\n",
			edge, rep.header.Get("Content-Range"))
		tail := "\r\n--" + edge + "--\r\n"
		rep.body = io.MultiReader(strings.NewReader(head), rep.body, strings.NewReader(tail))
		rep.length += int64(len(head) + len(tail))
		rep.header.Set("Content-Type", "multipart/byteranges; boundary="+edge)
	}
}

// flipper inverts the byte at offset at of the file, and every so many on.
type flipper struct {
	r              io.Reader
	off, at, every int64
}

func (f *flipper) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	for i := range n {
		d := f.off + int64(i) - f.at
		if d == 0 || d > 0 && f.every > 0 && d%f.every == 0 {
			p[i] ^= 0xff
		}
	}
	f.off += int64(n)
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
