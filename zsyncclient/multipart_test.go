package zsyncclient

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func partsAnswer(kind, contentRange string) *answer {
	h := http.Header{"Content-Type": {kind}}
	if contentRange != "" {
		h.Set("Content-Range", contentRange)
	}
	return &answer{code: http.StatusPartialContent, header: h, length: -1}
}

// readParts reads a whole answer: the ranges and bytes of its parts.
func readParts(a *answer, body io.Reader) (out []string, err error) {
	r := bufio.NewReaderSize(body, maxPartHeader)
	p, err := partsOf(a, r)
	if err != nil {
		return nil, err
	}
	for {
		cr, err := p.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		data, err := io.ReadAll(io.LimitReader(r, cr.r.Length()))
		out = append(out, cr.r.String()+string(data))
		if err == nil && int64(len(data)) < cr.r.Length() {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return out, err
		}
	}
}

// Bodies as nginx, Apache and lighttpd send them.
var serverBodies = []struct{ kind, body string }{
	{"multipart/byteranges; boundary=00000000000000000001", "\r\n--00000000000000000001\r\nContent-Type: text/plain\r\nContent-Range: bytes 1-2/9\r\n\r\nab" +
		"\r\n--00000000000000000001\r\nContent-Type: text/plain\r\nContent-Range: bytes 4-6/9\r\n\r\n\r\n-\r\n--00000000000000000001--\r\n"},
	{"multipart/byteranges; boundary=2077f67c5b1e3793", "\r\n--2077f67c5b1e3793\r\nContent-range: bytes 1-2/9\r\n\r\nab" +
		"\r\n--2077f67c5b1e3793\r\nContent-range: bytes 4-6/9\r\n\r\n\r\n-\r\n--2077f67c5b1e3793--\r\n"},
	{"multipart/byteranges; boundary=\"fkj49sn38dcn3\"", "--fkj49sn38dcn3\r\nContent-Type: text/plain\r\nContent-Range: bytes 1-2/9\r\n\r\nab" +
		"\r\n--fkj49sn38dcn3\r\nContent-Type: text/plain\r\nContent-Range: bytes 4-6/9\r\n\r\n\r\n-\r\n--fkj49sn38dcn3--\r\n"},
	{"multipart/byteranges; boundary=x", "--x \t\nContent-Range: bytes 1-2/9\n\nab\n--x\nContent-Range: \t bytes 4-6/9 \n\n\r\n-\n--x--"},
}

func TestMultipart(t *testing.T) {
	for _, b := range serverBodies {
		for _, r := range []io.Reader{strings.NewReader(b.body), iotest.OneByteReader(strings.NewReader(b.body))} {
			got, err := readParts(partsAnswer(b.kind, ""), r)
			if err != nil || len(got) != 2 || got[0] != "[1,3)ab" || got[1] != "[4,7)\r\n-" {
				t.Errorf("%s: %q, %v", b.kind, got, err)
			}
		}
		// Cut anywhere, it is too short, and never complete.
		whole := strings.TrimRight(b.body, "\r\n")
		for i := range len(whole) {
			if got, err := readParts(partsAnswer(b.kind, ""), strings.NewReader(whole[:i])); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s cut at %d: %q, %v", b.kind, i, got, err)
			}
		}
	}
	got, err := readParts(partsAnswer("text/plain", "bytes 3-5/9"), strings.NewReader("abc"))
	if err != nil || len(got) != 1 || got[0] != "[3,6)abc" {
		t.Errorf("one range: %q, %v", got, err)
	}
	bad := partsAnswer("text/plain", "bytes 3-5/9")
	bad.length = 4
	if _, err := partsOf(bad, nil); !errors.Is(err, errParts) {
		t.Errorf("one range of another length: %v", err)
	}
}

// Each body here breaks a rule.
func TestBadMultipart(t *testing.T) {
	for _, body := range []string{
		"--y\r\n\r\n", "--xx\r\n\r\n", "preamble\r\n--x\r\n\r\n", "\r\n\r\n--x\r\n", "-x\r\n", "--x junk\r\n",
		"--x\r\n\r\n", "--x\r\nContent-Range: bytes 5-4/9\r\n\r\n", "--x\r\nno colon\r\n\r\n", "--x\r\n: empty\r\n\r\n",
		"--x\r\nContent-Range : bytes 1-2/9\r\n\r\n", "--x\r\n folded\r\n\r\n",
		"--x\r\nContent-Range: bytes 1-2/9\r\nContent-Range: bytes 1-2/9\r\n\r\n",
		"--x\r\nContent-Range: bytes 1-2/9\r\n\r\nabc\r\n--x--", "--x\r\nContent-Range: bytes 1-2/9\r\n\r\nab--x--\r\n",
		"--x\r\nX: " + strings.Repeat("y", maxPartHeader), "--x\r\n" + strings.Repeat("X: y\r\n", maxPartHeader),
	} {
		if got, err := readParts(partsAnswer("multipart/byteranges; boundary=x", ""), strings.NewReader(body)); !errors.Is(err, errParts) {
			t.Errorf("%.60q: %q, %v", body, got, err)
		}
	}
}

func FuzzMultipart(f *testing.F) {
	for _, b := range serverBodies {
		f.Add(b.kind, "", []byte(b.body))
	}
	f.Add("text/plain", "bytes 3-5/9", []byte("abc"))
	f.Add("multipart/byteranges; boundary=\"a b\"", "", []byte("--a b\r\ncontent-encoding: gzip\r\n\r\n"))
	f.Fuzz(func(t *testing.T, kind, contentRange string, body []byte) {
		got, err := readParts(partsAnswer(kind, contentRange), strings.NewReader(string(body)))
		sum := 0
		for _, p := range got {
			_, data, ok := strings.Cut(p, ")")
			if !ok {
				t.Fatalf("part %q", p)
			}
			sum += len(data)
		}
		if sum > len(body) {
			t.Errorf("%d bytes in the parts of %d", sum, len(body))
		}
		if err == nil && strings.HasPrefix(kind, "multipart/") {
			// What is right for this reader stays right when nothing is read ahead.
			again, err := readParts(partsAnswer(kind, contentRange), iotest.OneByteReader(strings.NewReader(string(body))))
			if err != nil || len(again) != len(got) {
				t.Errorf("%q, read byte by byte %q, %v", got, again, err)
			}
		}
	})
}
