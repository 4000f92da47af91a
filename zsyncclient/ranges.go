package zsyncclient

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/zsyncfs/zsyncfs/format"
)

// contentRange is the value of a Content-Range header.
type contentRange struct {
	r     format.Range
	total int64 // -1 unknown
}

var errContentRange = errors.New("not of the form \"bytes first-last/total\"")

// parseContentRange reads the value of a 206's Content-Range.
func parseContentRange(s string) (contentRange, error) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	span, totalText, ok2 := strings.Cut(rest, "/")
	firstText, lastText, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return contentRange{}, errContentRange
	}
	first, ok := parseDigits(firstText)
	last, ok2 := parseDigits(lastText)
	total := int64(-1)
	if totalText != "*" {
		total, ok3 = parseDigits(totalText)
	}
	if !ok || !ok2 || !ok3 {
		return contentRange{}, errContentRange
	}
	if last < first || total >= 0 && last >= total {
		return contentRange{}, errors.New("its numbers contradict each other")
	}
	return contentRange{r: format.Range{Start: first, End: last + 1}, total: total}, nil
}

// parseUnsatisfied reads the total of a 416's "bytes */total"; -1 when absent.
func parseUnsatisfied(s string) int64 {
	text, ok := strings.CutPrefix(s, "bytes */")
	if n, ok2 := parseDigits(text); ok && ok2 {
		return n
	}
	return -1
}

// parseDigits reads a number of at most 18 digits, so that it cannot overflow
// when one is added.
func parseDigits(s string) (int64, bool) {
	if s == "" || len(s) > 18 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// strongETag is etag when it is a strong validator, else "".
func strongETag(etag string) string {
	if len(etag) < 2 || etag[0] != '"' || etag[len(etag)-1] != '"' {
		return ""
	}
	return etag
}

// rangeHeader asks for ranges, at least one and none empty; with If-Range when
// etag is strong.
func rangeHeader(etag string, ranges ...format.Range) http.Header {
	text := []byte("bytes=")
	for i, r := range ranges {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, r.Start, 10)
		text = append(text, '-')
		text = strconv.AppendInt(text, r.End-1, 10)
	}
	h := http.Header{"Range": {string(text)}}
	if etag = strongETag(etag); etag != "" {
		h.Set("If-Range", etag)
	}
	return h
}

// checkPartial checks that a is one part that starts where r does. The part may
// end before r does, only at the document's own end; the caller checks the total.
func checkPartial(a *answer, r format.Range) (contentRange, error) {
	if kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); strings.HasPrefix(kind, "multipart/") {
		return contentRange{}, refuse("server sent %s for a single range", kind)
	}
	if n := len(a.header.Values("Content-Range")); n != 1 {
		return contentRange{}, refuse("server sent 206 with %d Content-Range headers", n)
	}
	text := a.header.Get("Content-Range")
	cr, err := parseContentRange(text)
	if err != nil {
		return cr, refuse("Content-Range %q: %w", shorten(text), err)
	}
	whole := cr.r.End == r.End || cr.r.End < r.End && cr.r.End == cr.total
	if cr.r.Start != r.Start || !whole {
		return cr, refuse("server sent %v of %d for the range %v", cr.r, cr.total, r)
	}
	if a.length >= 0 && a.length != cr.r.Length() {
		return cr, refuse("server sent Content-Length %d for %v", a.length, cr.r)
	}
	return cr, nil
}

// lastWords is what a caller whose ctx ended during err is told: ctx's error and
// the last failure before that, nil if there was none. err as it is while ctx
// goes on.
func lastWords(ctx context.Context, err, last error) error {
	ctxErr := ctx.Err()
	switch {
	case ctxErr == nil || err == nil:
		return err
	case last != nil:
		return endedError(ctxErr, last)
	case errors.Is(err, ctxErr):
		return err
	}
	return endedError(ctxErr, err)
}
