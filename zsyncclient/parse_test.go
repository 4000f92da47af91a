package zsyncclient

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

func TestParseContentRange(t *testing.T) {
	good := map[string]contentRange{
		"bytes 0-0/1":        {format.Range{Start: 0, End: 1}, 1},
		"bytes 10-19/*":      {format.Range{Start: 10, End: 20}, -1},
		"bytes 0-4095/10000": {format.Range{Start: 0, End: 4096}, 10000},
	}
	for s, want := range good {
		if got, err := parseContentRange(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "bytes", "bytes ", "bytes 1-0/5", "bytes 0-5/5", "bytes 0-4/", "bytes -1-4/5", "bytes +0-4/5", "bytes 0-4/5/6",
		"bytes 0- 4/5", "bytes */5", "Bytes 0-4/5", "bytes=0-4/5", "bytes 0-9223372036854775807/*", "bytes 0-99999999999999999999/*", "bytes 0-4/5 "} {
		if got, err := parseContentRange(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-4095/10000", "bytes */7", "bytes 10-19/*", "bytes 0-999999999999999999/*", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cr, err := parseContentRange(s)
		if err != nil {
			return
		}
		if cr.r.Start < 0 || cr.r.End <= cr.r.Start || cr.total >= 0 && cr.r.End > cr.total {
			t.Errorf("%q is %+v", s, cr)
		}
		if n := parseUnsatisfied(s); n != -1 {
			t.Errorf("%q is a range and unsatisfied with %d", s, n)
		}
	})
}

func TestResolveReference(t *testing.T) {
	base := mustURL("https://ann:pw@h.example/a/b/x.iso.zsync?q=1#f")
	for ref, want := range map[string]string{
		"x.iso":                     "https://h.example/a/b/x.iso",
		"my file.iso":               "https://h.example/a/b/my%20file.iso",
		"  x.iso \r":                "https://h.example/a/b/x.iso",
		"../y.iso":                  "https://h.example/a/y.iso",
		"../../../../y.iso":         "https://h.example/y.iso",
		"/y.iso":                    "https://h.example/y.iso",
		"//other/y.iso":             "https://other/y.iso",
		"http://other:81/y z.iso?a": "http://other:81/y%20z.iso?a",
		"http://eve:x@other/y":      "http://other/y",
		"100%.iso":                  "https://h.example/a/b/100%25.iso",
		"%zz/t.dat":                 "https://h.example/a/b/%25zz/t.dat",
		"a%20b.iso":                 "https://h.example/a/b/a%20b.iso",
		"a%0d%0aX:%20y.iso":         "https://h.example/a/b/a%0d%0aX:%20y.iso",
		"ü.iso":                     "https://h.example/a/b/%C3%BC.iso",
		"2024-01-01T10:00.iso":      "https://h.example/a/b/2024-01-01T10:00.iso",
		"c#1.iso":                   "https://h.example/a/b/c%231.iso",
		"http://other/y#frag":       "http://other/y",
		`a\b"<>.iso`:                "https://h.example/a/b/a%5Cb%22%3C%3E.iso",
	} {
		got, err := resolveListed(base, ref)
		if err != nil || got.String() != want {
			t.Errorf("%q resolves to %v, %v; want %s", ref, got, err, want)
		}
	}
	for _, ref := range []string{"", "  ", "a\r\nb", "a\x00b", "a\x7f", "http://h:port/", "http://[::1/", strings.Repeat("a", maxURL+1)} {
		if got, err := resolveListed(base, ref); err == nil {
			t.Errorf("%q resolves to %v", ref, got)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"x.iso", "my file.iso", "%zz", "a%0d%0ab", "http://h/\x01", "//h", "a:b", "\r\n", "http://[::1]:9/x", "?q w", "#"} {
		f.Add(s)
	}
	base := mustURL("http://h.example/a/b.zsync")
	f.Fuzz(func(t *testing.T, ref string) {
		u, err := resolveListed(base, ref)
		if err != nil {
			return
		}
		if u.User != nil || u.Fragment != "" {
			t.Errorf("%q keeps what must go: %v", ref, u)
		}
		if checkURL(u) != nil {
			return
		}
		for _, s := range []string{u.RequestURI(), u.EscapedPath(), u.RawQuery} {
			for i := range len(s) {
				if s[i] <= ' ' || s[i] >= 0x7f {
					t.Errorf("%q puts %q on the wire", ref, s)
				}
			}
		}
		if _, err := http.NewRequest(http.MethodGet, u.String(), nil); err != nil {
			t.Errorf("%q resolves to %v: %v", ref, u, err)
		}
	})
}

func TestCandidates(t *testing.T) {
	ctl := &Control{
		URL:   mustURL("http://h/d/x.iso.zsync"),
		Final: mustURL("http://cdn/e/x.iso.zsync?sig=1"),
		Header: &format.Header{BlockSize: 2048, URLs: []string{"x.iso", "", "y z.iso", "gopher://127.0.0.1/1",
			"file:t.dat", "javascript:alert(1)", "http://m/x.iso", "a\nb"}},
	}
	c := newClient(t, Options{})
	s := c.NewSource(ctl, []*url.URL{mustURL("http://mirror/pub/"), mustURL("http://mirror/other.iso"), nil})
	var got []string
	for _, cand := range s.candidates {
		line := cand.text
		if cand.refused != nil {
			line = "- " + line
		}
		got = append(got, line)
	}
	want := []string{
		"http://h/d/x.iso", "http://h/d/y%20z.iso", "- gopher://127.0.0.1/1", "- file:t.dat", "- javascript:alert(1)", "http://m/x.iso",
		"- URL line of the control file", "http://cdn/e/x.iso", "http://cdn/e/y%20z.iso", "http://mirror/pub/x.iso", "http://mirror/other.iso",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("candidates\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestValidators(t *testing.T) {
	v := func(etag, modified string, n int64) Validators {
		return Validators{ETag: etag, LastModified: modified, Length: n}
	}
	const day, next = "Mon, 06 May 2024 07:08:09 GMT", "Tue, 07 May 2024 07:08:09 GMT"
	for _, tc := range []struct {
		a, b                Validators
		contradicts, proves bool
	}{
		{v(`"a"`, day, 5), v(`"a"`, day, 5), false, true},
		{v(`"a"`, day, 5), v(`"a"`, next, -1), false, true},
		{v(`W/"a"`, "", 5), v(`"a"`, "", 5), false, false},
		{v(`"a"`, "", 5), v(`"b"`, "", 5), true, false},
		{v(`"a"`, "", 5), v(`"a"`, "", 6), true, false},
		{v("", day, 5), v("", next, 5), true, false},
		{v("", day, 5), v(`"b"`, day, -1), false, false},
		{v("", "", -1), v(`"b"`, day, 7), false, false},
	} {
		if got := tc.a.contradicts(tc.b); got != tc.contradicts {
			t.Errorf("%v contradicts %v: %v", tc.a, tc.b, got)
		}
		if got := tc.a.proves(tc.b); got != tc.proves {
			t.Errorf("%v proves %v: %v", tc.a, tc.b, got)
		}
	}
	for date, young := range map[string]bool{day: true, "Mon, 06 May 2024 07:08:10 GMT": true, next: false, "": true, "today": true} {
		got := validatorsOf(http.Header{"Etag": {`"a"`}, "Last-Modified": {day}, "Date": {date}}, 1)
		if got.Young != young || got.certain() == young || got.proves(v(`"a"`, day, 1)) == young {
			t.Errorf("answered at %q: %+v", date, got)
		}
	}
	for _, etag := range []string{"x", `"`, "\"a\x01\"", `"` + strings.Repeat("a", 300) + `"`} {
		if got := validatorsOf(http.Header{"Etag": {etag}, "Last-Modified": {"yesterday"}}, 1); !got.empty() {
			t.Errorf("%q is kept as %+v", etag, got)
		}
	}
}
