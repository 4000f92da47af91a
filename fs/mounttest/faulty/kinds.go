package faulty

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// Kind is a kind of fault.
type Kind struct {
	Name string
	// request changes what the server is asked for.
	request func(*http.Request)
	// reply changes the answer; false when there was nothing to change.
	reply func(*answer, *rand.Rand) bool
}

// NoRanges is the name of the kind after which a client asks for no ranges for a while.
const NoRanges = "200 for 206"

// Kinds are all kinds.
func Kinds() []Kind {
	return []Kind{
		{Name: "one bit flipped", reply: onBody(flip)},
		{Name: "cut, and the connection closed", reply: onBody(cut)},
		{Name: "cut, with an honest length", reply: onBody(cutQuietly)},
		{Name: "a stretch twice", reply: onBody(repeat)},
		{Name: "a stretch of zeros", reply: onBody(zeros)},
		{Name: "late in the midst", reply: onBody(late)},
		{Name: NoRanges, request: whole, reply: isWhole},
		{Name: "another range, honestly", reply: shiftedRange},
		{Name: "another range, as if it were the right one", reply: shiftedBytes},
		{Name: "wrong total", reply: wrongTotal},
		{Name: "no Content-Range", reply: noContentRange},
		{Name: "Content-Range that makes no sense", reply: oddContentRange},
		{Name: "gzip that nobody asked for", reply: onBody(compressed)},
		{Name: "gzip in name only", reply: onBody(compressedInName)},
		{Name: "multipart that nobody asked for", reply: multipart},
		{Name: "a login page", reply: loginPage},
		{Name: "a body without an end", reply: onBody(endless)},
		{Name: "500", reply: failing(http.StatusInternalServerError)},
		{Name: "503", reply: failing(http.StatusServiceUnavailable)},
		{Name: "429", reply: failing(http.StatusTooManyRequests)},
		{Name: "416", reply: failing(http.StatusRequestedRangeNotSatisfiable)},
		{Name: "403", reply: failing(http.StatusForbidden)},
		{Name: "304", reply: failing(http.StatusNotModified)},
		{Name: "another ETag", reply: otherETag},
		{Name: "nothing", reply: onBody(nothing)},
	}
}

// Named is the kind of that name.
func Named(name string) Kind {
	for _, k := range Kinds() {
		if k.Name == name {
			return k
		}
	}
	panic("no such kind: " + name)
}

// onBody applies change to replies that bring something.
func onBody(change func(*answer, *rand.Rand)) func(*answer, *rand.Rand) bool {
	return func(a *answer, rng *rand.Rand) bool {
		good := len(a.body) > 0 && (a.status == http.StatusOK || a.status == http.StatusPartialContent)
		if good {
			change(a, rng)
		}
		return good
	}
}

func flip(a *answer, rng *rand.Rand) {
	a.body[rng.IntN(len(a.body))] ^= 1 << rng.IntN(8)
}

func cut(a *answer, rng *rand.Rand) {
	a.length = int64(len(a.body))
	a.body = a.body[:rng.IntN(len(a.body))]
}

func cutQuietly(a *answer, rng *rand.Rand) {
	a.body = a.body[:rng.IntN(len(a.body))]
}

// stretch is a random one of the body.
func (a *answer) stretch(rng *rand.Rand) []byte {
	n := 1 + rng.IntN(len(a.body))
	at := rng.IntN(len(a.body) - n + 1)
	return a.body[at : at+n]
}

func repeat(a *answer, rng *rand.Rand) {
	from := bytes.Clone(a.stretch(rng))
	at := rng.IntN(len(a.body) - len(from) + 1)
	copy(a.body[at:], from)
}

func zeros(a *answer, rng *rand.Rand) {
	clear(a.stretch(rng))
}

func late(a *answer, _ *rand.Rand) {
	a.delay = time.Second
}

func whole(r *http.Request) { r.Header.Del("Range") }

func isWhole(a *answer, _ *rand.Rand) bool { return a.status == http.StatusOK }

// parseRange is what Content-Range says of one range.
func (a *answer) parseRange() (first, last, total int64, ok bool) {
	n, err := fmt.Sscanf(a.header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &total)
	return first, last, total, err == nil && n == 3
}

func (a *answer) setRange(first, last, total int64) {
	a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, total))
}

// shiftedRange is as if the server had been asked for bytes further on.
func shiftedRange(a *answer, rng *rand.Rand) bool {
	first, last, total, ok := a.parseRange()
	by := 1 + rng.Int64N(10_000)
	if !ok || last+by >= total {
		return false
	}
	a.setRange(first+by, last+by, total)
	return true
}

func shiftedBytes(a *answer, rng *rand.Rand) bool {
	if _, _, _, ok := a.parseRange(); !ok || len(a.body) < 2 {
		return false
	}
	by := 1 + rng.IntN(len(a.body)-1)
	a.body = append(bytes.Clone(a.body[by:]), a.body[:by]...)
	return true
}

func wrongTotal(a *answer, rng *rand.Rand) bool {
	first, last, total, ok := a.parseRange()
	if !ok {
		return false
	}
	a.setRange(first, last, total+1+rng.Int64N(1<<40))
	return true
}

func noContentRange(a *answer, _ *rand.Rand) bool {
	had := a.header.Get("Content-Range") != ""
	a.header.Del("Content-Range")
	return had
}

func oddContentRange(a *answer, rng *rand.Rand) bool {
	if a.header.Get("Content-Range") == "" {
		return false
	}
	odd := []string{"bytes 9-1/20", "bytes -1-5/10", "bytes */0", "items 0-1/2", "bytes 0-99999999999999999999/1", "\x7f", ""}
	a.header.Set("Content-Range", odd[rng.IntN(len(odd))])
	return true
}

func compressed(a *answer, _ *rand.Rand) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(a.body)
	_ = z.Close()
	a.body = b.Bytes()
	a.header.Set("Content-Encoding", "gzip")
}

func compressedInName(a *answer, _ *rand.Rand) {
	a.header.Set("Content-Encoding", "gzip")
}

func multipart(a *answer, _ *rand.Rand) bool {
	if a.status != http.StatusPartialContent {
		return false
	}
	const boundary = "3d6b6a416f9b5"
	head := fmt.Sprintf("\r\n--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: %s\r\n\r\n", boundary, a.header.Get("Content-Range"))
	a.body = append([]byte(head), a.body...)
	a.body = append(a.body, "\r\n--"+boundary+"--\r\n"...)
	a.header.Del("Content-Range")
	a.header.Set("Content-Type", "multipart/byteranges; boundary="+boundary)
	return true
}

func loginPage(a *answer, _ *rand.Rand) bool {
	a.status = http.StatusOK
	a.header = http.Header{"Content-Type": {"text/html"}}
	a.body = []byte("<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please log in.</body></html>\n")
	return true
}

func endless(a *answer, _ *rand.Rand) {
	a.endless = true
	if len(a.body) < 4096 {
		a.body = append(a.body, make([]byte, 4096)...)
	}
}

func failing(status int) func(*answer, *rand.Rand) bool {
	return func(a *answer, _ *rand.Rand) bool {
		a.status = status
		a.header = http.Header{"Content-Type": {"text/plain"}}
		a.body = []byte(http.StatusText(status))
		if status == http.StatusNotModified {
			a.body = nil
		}
		return true
	}
}

func otherETag(a *answer, rng *rand.Rand) bool {
	if a.header.Get("Etag") == "" {
		return false
	}
	a.header.Set("Etag", fmt.Sprintf(`"%x"`, rng.Uint64()))
	return true
}

// nothing is a reply of no bytes where there should be some.
func nothing(a *answer, _ *rand.Rand) {
	a.body = nil
}
