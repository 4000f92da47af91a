package webserver

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Request is one line of an access log.
type Request struct {
	// Method is the HTTP method.
	Method string
	// Path is the path asked for, percent-decoded, without the query.
	Path string
	// Range is the Range header as sent, "" when there was none (always ""
	// for Python, which does not log it).
	Range string
	// Status is the status code of the answer.
	Status int
	// Bytes is the number of body bytes sent; -1 when the server does not say.
	Bytes int64
}

func (r Request) String() string {
	return fmt.Sprintf("%s %s range=%q %d %d bytes", r.Method, r.Path, r.Range, r.Status, r.Bytes)
}

// Requests are the requests of a log, in the order of their ends.
type Requests []Request

// Bytes is the sum of the body bytes sent; requests of unknown size count as 0.
func (rs Requests) Bytes() int64 {
	var sum int64
	for _, r := range rs {
		sum += max(r.Bytes, 0)
	}
	return sum
}

// Where returns the requests for which keep is true.
func (rs Requests) Where(keep func(Request) bool) Requests {
	var out Requests
	for _, r := range rs {
		if keep(r) {
			out = append(out, r)
		}
	}
	return out
}

// Control returns the requests for control files.
func (rs Requests) Control() Requests {
	return rs.Where(func(r Request) bool { return strings.HasSuffix(r.Path, ".zsync") })
}

// Data returns the requests for anything that is neither a listing nor a
// control file: the targets.
func (rs Requests) Data() Requests {
	return rs.Where(func(r Request) bool {
		return !strings.HasSuffix(r.Path, ".zsync") && !strings.HasSuffix(r.Path, "/")
	})
}

// String is one request per line, at most the last 40.
func (rs Requests) String() string {
	var b strings.Builder
	if n := len(rs) - 40; n > 0 {
		fmt.Fprintf(&b, "(%d requests before)\n", n)
		rs = rs[n:]
	}
	for _, r := range rs {
		b.WriteString(r.String())
		b.WriteByte('\n')
	}
	return b.String()
}

var (
	// combined is the format that nginx, apache2 and lighttpd are told to write.
	combined = regexp.MustCompile(`^"([A-Z]+) (\S+)[^"]*" "([^"]*)" (\d+) (\d+|-)$`)
	// python is what http.server writes by itself.
	python = regexp.MustCompile(`"([A-Z]+) (\S+)[^"]*" (\d+) (\S+)$`)
)

// parseLog reads the complete lines of a log that line understands; others
// (Python's start and traceback lines) are skipped.
func parseLog(text string, line func(string) (Request, bool)) Requests {
	var out Requests
	for {
		l, rest, whole := strings.Cut(text, "\n")
		if !whole {
			return out
		}
		text = rest
		if r, ok := line(l); ok {
			out = append(out, r)
		}
	}
}

func combinedLine(l string) (Request, bool) {
	m := combined.FindStringSubmatch(l)
	if m == nil {
		return Request{}, false
	}
	r := Request{Method: m[1], Path: decodePath(m[2]), Range: m[3]}
	if r.Range == "-" {
		r.Range = ""
	}
	r.Status, _ = strconv.Atoi(m[4])
	r.Bytes, _ = strconv.ParseInt(m[5], 10, 64) // "-" is none: 0
	return r, true
}

func pythonLine(l string) (Request, bool) {
	m := python.FindStringSubmatch(l)
	if m == nil {
		return Request{}, false
	}
	r := Request{Method: m[1], Path: decodePath(m[2]), Bytes: -1}
	r.Status, _ = strconv.Atoi(m[3])
	return r, true
}

// decodePath cuts the query off and decodes the rest; as it is when it cannot be decoded.
func decodePath(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	if p, err := url.PathUnescape(path); err == nil {
		return p
	}
	return path
}
