package listing

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// awkwardFiles and awkwardDirs are what the recorded folder held, less what is
// no control file.
var awkwardFiles = []string{
	".hidden.iso.zsync", "<angle>.iso.zsync", "[brackets]~tilde.iso.zsync",
	"a-" + strings.Repeat("very-long-name-", 10) + ".iso.zsync",
	"a-" + strings.Repeat("very-long-name-", 10) + "2.iso.zsync",
	"amp&amp.iso.zsync", `back\slash.iso.zsync`, "colon:name.iso.zsync", "hash#tag.iso.zsync",
	"per%cent%20.iso.zsync", "plain-1.0.iso.zsync", "plus+plus.iso.zsync", "question?mark.iso.zsync",
	`quote"double.iso.zsync`, "quote'single.iso.zsync", "semi;colon=eq.iso.zsync", "with space.iso.zsync",
	"x.zsync", "ünïcödé-日本.iso.zsync",
}

var awkwardDirs = []string{"dir.zsync", "empty", "http:dir", "sub", "sub dir", "ünter"}

const htmlType = "text/html; charset=utf-8"

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func names(entries []Entry) []string {
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return out
}

// TestRecorded reads the listing of one folder as each server shows it. The
// pages of nginx 1.22, Apache 2.4, lighttpd 1.4.69 and Python 3 are recorded,
// those of Caddy and S3 written after their documentation.
func TestRecorded(t *testing.T) {
	for _, c := range []struct {
		file, contentType, final string
		noHidden                 bool // nginx and lighttpd leave out names with a dot first
		dir                      string
	}{
		{"nginx.html", htmlType, "http://h/", true, "/"},
		{"nginx.json", "application/json", "http://h/", true, "/"},
		{"nginx.xml", "text/xml; charset=utf-8", "http://h/", true, "/"},
		{"apache-plain.html", "text/html;charset=ISO-8859-1", "http://h:81/a%20b/", false, "/a b/"},
		{"apache-fancy.html", "text/html;charset=UTF-8", "http://h/", false, "/"},
		{"apache-table.html", "text/html;charset=UTF-8", "http://h/?C=N;O=D", false, "/"},
		{"lighttpd.html", htmlType, "https://h/pub/", true, "/pub/"},
		{"python.html", htmlType, "http://h/pub/index.html", false, "/pub/"},
		{"caddy.html", htmlType, "http://h/pub/", false, "/pub/"},
		{"caddy.json", "application/json; charset=utf-8", "http://h/pub/", false, "/pub/"},
		{"s3.xml", "application/xml", "https://b.example/?list-type=2&prefix=isos/&delimiter=/", false, "/isos/"},
		{"s3-url.xml", "application/xml", "https://b.example/bucket?list-type=2&prefix=isos/", false, "/bucket/isos/"},
		{"s3-flat.xml", "application/xml", "https://b.example/bucket/?prefix=isos/", false, "/bucket/isos/"},
		{"s3-flat.xml", "", "https://b.example/bucket/?prefix=isos/", false, "/bucket/isos/"},
		{"nginx.html", "", "http://h/", true, "/"},
		{"nginx.json", "application/octet-stream", "http://h/", true, "/"},
		{"nginx.xml", "text/plain", "http://h/", true, "/"},
		{"caddy.html", "TEXT/HTML; charset", "http://h/", false, "/"},
	} {
		t.Run(c.file+" "+c.contentType, func(t *testing.T) {
			final := mustURL(t, c.final)
			l, err := Parse(t.Context(), final, c.contentType, read(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(awkwardFiles)
			if c.noHidden {
				want = want[1:]
			}
			if got := names(l.Files); !slices.Equal(got, want) {
				t.Errorf("files\n got %q\nwant %q", got, want)
			}
			if got := names(l.Dirs); !slices.Equal(got, awkwardDirs) {
				t.Errorf("dirs\n got %q\nwant %q", got, awkwardDirs)
			}
			for _, e := range l.Files {
				checkURL(t, final, e, c.dir+e.Name)
			}
			for _, e := range l.Dirs {
				if strings.HasPrefix(c.file, "s3") {
					if got := mustURL(t, e.URL).Query().Get("prefix"); got != "isos/"+e.Name+"/" {
						t.Errorf("prefix %q of %q", got, e.Name)
					}
					continue
				}
				checkURL(t, final, e, c.dir+e.Name+"/")
			}
		})
	}
}

func checkURL(t *testing.T, final *url.URL, e Entry, path string) {
	t.Helper()
	u := mustURL(t, e.URL)
	if u.Path != path || u.Scheme != final.Scheme || u.Host != final.Host || u.RawQuery != "" || u.Fragment != "" {
		t.Errorf("%q: URL %s, want path %q", e.Name, e.URL, path)
	}
}

func TestEmpty(t *testing.T) {
	for _, c := range []struct{ file, contentType string }{
		{"nginx-empty.html", htmlType}, {"nginx-empty.json", "application/json"}, {"nginx-empty.xml", "text/xml"},
		{"apache-plain-empty.html", htmlType}, {"apache-fancy-empty.html", htmlType}, {"apache-table-empty.html", htmlType},
		{"lighttpd-empty.html", htmlType}, {"python-empty.html", htmlType}, {"caddy-empty.html", htmlType},
		{"caddy-empty.json", "application/json"}, {"s3-empty.xml", "application/xml"},
		{"caddy-empty.json", "text/plain"},
	} {
		l, err := Parse(t.Context(), mustURL(t, "http://h/empty/"), c.contentType, read(t, c.file))
		if err != nil || len(l.Files)+len(l.Dirs) != 0 || l.Next != nil {
			t.Errorf("%s: %+v, %v", c.file, l, err)
		}
	}
}

func TestNoListing(t *testing.T) {
	for _, c := range []struct {
		name, contentType, body string
		want                    error
	}{
		{"nothing", htmlType, "", ErrNotListing},
		{"nothing, no type", "", "", ErrFormat},
		{"login", htmlType, `<title>Sign in</title><form method=post action=/login><input type=password></form><a href="reset.html">Forgot?</a>`, ErrNotListing},
		{"login by GET", htmlType, `<input TYPE=Password name=p><a href="help/">Help</a>`, ErrNotListing},
		{"single sign-on", htmlType, `<body onload="f.submit()"><form id=f METHOD="POST" action="https://idp.example/"><input type=hidden></form>`, ErrNotListing},
		{"other host", htmlType, `<a href="https://elsewhere.example/pub/x.zsync">x</a>`, ErrNotListing},
		{"home link", htmlType, `<h1>Be right back</h1><a href="/">Home</a>`, ErrNotListing},
		{"commented out", htmlType, `<!-- <a href="x.zsync">x</a> --><p>hello`, ErrNotListing},
		{"in a script", htmlType, `<script>document.write('<a href="x.zsync">')</script>`, ErrNotListing},
		{"JSON object", "application/json", `{"error":"login"}`, ErrNotListing},
		{"JSON of others", "application/json", `[{"id":1}]`, ErrNotListing},
		{"JSON numbers", "application/json", `[1,2]`, ErrNotListing},
		{"JSON cut", "application/json", `[{"name":"x.zsync","type":"file"},`, ErrNotListing},
		{"S3 error", "application/xml", `<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`, ErrNotListing},
		{"XML cut", "application/xml", `<ListBucketResult><Contents><Key>x.zsync</Key>`, ErrNotListing},
		{"XML deep", "application/xml", `<list>` + strings.Repeat("<a>", 1000), ErrNotListing},
		{"XML empty", "text/xml", "", ErrNotListing},
		{"PDF", "application/pdf", "%PDF", ErrFormat},
		{"control file", "application/octet-stream", "zsync: 0.6.2\n", ErrFormat},
		{"control file, own type", "application/x-zsync", "zsync: 0.6.2\n", ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Parse(t.Context(), mustURL(t, "http://h/pub/"), c.contentType, []byte(c.body))
			if !errors.Is(err, c.want) {
				t.Fatalf("got %+v, %v; want %v", l, err, c.want)
			}
			if c.want == ErrFormat && !strings.Contains(err.Error(), c.contentType) {
				t.Errorf("%v does not name the type", err)
			}
		})
	}
}

// TestLinks gives single links, and what they become: "" when left out.
func TestLinks(t *testing.T) {
	for _, c := range []struct{ final, base, href, name, url string }{
		{"http://h/p/", "", "x.zsync", "x.zsync", "http://h/p/x.zsync"},
		{"http://h/p/", "", " \n x.zsync\t", "x.zsync", "http://h/p/x.zsync"},
		{"http://h/p/", "", "/p/x.zsync#top", "x.zsync", "http://h/p/x.zsync"},
		{"http://h/p/", "", "./x.zsync?raw=1", "x.zsync", "http://h/p/x.zsync?raw=1"},
		{"http://h/p/", "", "http://h:80/p/x.zsync", "x.zsync", "http://h:80/p/x.zsync"},
		{"http://h/p/", "", "//H/p/x.zsync", "x.zsync", "http://H/p/x.zsync"},
		{"http://h/p/", "", "http://u:p@h/p/x.zsync", "x.zsync", "http://h/p/x.zsync"},
		{"http://u:p@h/p/", "", "x.zsync", "x.zsync", "http://h/p/x.zsync"},
		{"http://h/p", "", "x.zsync", "x.zsync", "http://h/x.zsync"},
		{"http://h", "", "x.zsync", "x.zsync", "http://h/x.zsync"},
		{"http://h/~u/", "", "/%7eu/x.zsync", "x.zsync", "http://h/%7eu/x.zsync"},
		{"http://h/p/", "", "../p/x.zsync", "x.zsync", "http://h/p/x.zsync"},
		{"http://h/p/", "", "100%.zsync", "100%.zsync", "http://h/p/100%25.zsync"},
		{"http://h/p/", "", "a%20b.zsync", "a b.zsync", "http://h/p/a%20b.zsync"},
		{"http://h/p/", "", "a%2520b.zsync", "a%20b.zsync", "http://h/p/a%2520b.zsync"},
		{"http://h/p/", "", "%fc.zsync", "%FC.zsync", "http://h/p/%fc.zsync"},
		{"http://h/p/", "", "sub/?C=N;O=D", "sub", "http://h/p/sub/"},
		{"http://h/p/", "http://h/p/q/", "x.zsync", "x.zsync", "http://h/p/q/x.zsync"},
		{"http://h/p/", "/", "p/x.zsync", "x.zsync", "http://h/p/x.zsync"},
		{"http://h/p/", "http://other/", "/p/x.zsync", "", ""},
		{"http://h/p/", "http://other/", "http://h/p/x.zsync", "x.zsync", "http://h/p/x.zsync"},
		{"http://h/p/", "/", "x.zsync", "", ""},
		{"http://h/p/", "", "https://h/p/x.zsync", "", ""},
		{"http://h/p/", "", "http://h:8080/p/x.zsync", "", ""},
		{"http://h/p/", "", "../x.zsync", "", ""},
		{"http://h/p/", "", "q/x.zsync", "", ""},
		{"http://h/p/", "", "%2e%2e/x.zsync", "", ""},
		{"http://h/p/", "", "%2e%2e/", "", ""},
		{"http://h/p/", "", "%2e/", "", ""},
		{"http://h/p/", "", "a%2fb.zsync", "", ""},
		{"http://h/p/", "", "%2e%2e%2fx.zsync", "", ""},
		{"http://h/p/", "", "a%00.zsync", "", ""},
		{"http://h/p/", "", "a%0a.zsync", "", ""},
		{"http://h/p/", "", "a%1b[2J.zsync", "", ""},
		{"http://h/p/", "", "a%c2%9b.zsync", "", ""},
		{"http://h/p/", "", "a%7f.zsync", "", ""},
		{"http://h/p/", "", ".zsync", "", ""},
		{"http://h/p/", "", "..zsync", "", ""},
		{"http://h/p/", "", "...zsync", "", ""},
		{"http://h/p/", "", "x.zsync.sha256", "", ""},
		{"http://h/p/", "", "x.ZSYNC", "", ""},
		{"http://h/p/", "", strings.Repeat("a", 256) + ".zsync", "", ""},
		{"http://h/p/", "", "sub//", "", ""},
		{"http://h/p/", "", "javascript:alert(1).zsync", "", ""},
		{"http://h/p/", "", "mailto:x.zsync", "", ""},
		{"http://h/p/", "", "ftp://h/p/x.zsync", "", ""},
	} {
		page := `<title>Index of /p</title>`
		if c.base != "" {
			page += `<base href="` + c.base + `"><base href="/ignored/">`
		}
		page += `<a href="` + c.href + `" href="second.zsync">wrong.zsync</a>`
		l, err := Parse(t.Context(), mustURL(t, c.final), htmlType, []byte(page))
		if err != nil {
			t.Errorf("%q: %v", c.href, err)
			continue
		}
		all := append(l.Files, l.Dirs...)
		if c.name == "" {
			if len(all) != 0 {
				t.Errorf("%q in %s was let in: %+v", c.href, c.final, all)
			}
			continue
		}
		if len(all) != 1 || all[0] != (Entry{c.name, c.url}) {
			t.Errorf("%q in %s: got %+v, want %q %s", c.href, c.final, all, c.name, c.url)
		}
	}
}

func TestTooMany(t *testing.T) {
	var b strings.Builder
	for i := range MaxEntries + 1 {
		b.WriteString(`<a href="` + url.PathEscape(string(rune(0x4e00+i%20000))) + string(rune('a'+i/20000)) + `.zsync">`)
		if i == MaxEntries-1 {
			l, err := Parse(t.Context(), mustURL(t, "http://h/"), htmlType, []byte(b.String()))
			if err != nil || len(l.Files) != MaxEntries {
				t.Fatal(len(l.Files), err)
			}
		}
	}
	_, err := Parse(t.Context(), mustURL(t, "http://h/"), htmlType, []byte(b.String()))
	if !errors.Is(err, ErrTooMany) || !strings.Contains(err.Error(), "100000") {
		t.Errorf("got %v", err)
	}
}

func TestS3Pages(t *testing.T) {
	next := func(final, body string) string {
		t.Helper()
		l, err := Parse(t.Context(), mustURL(t, final), "application/xml", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if l.Next == nil {
			return ""
		}
		return l.Next.String()
	}
	l, err := Parse(t.Context(), mustURL(t, "https://b/?list-type=2&prefix=isos%2F&delimiter=%2F&continuation-token=old"), "application/xml", read(t, "s3-url.xml"))
	if err != nil {
		t.Fatal(err)
	}
	q := l.Next.Query()
	if q.Get("continuation-token") != "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=" || q.Get("prefix") != "isos/" || q.Get("list-type") != "2" || q.Get("delimiter") != "/" {
		t.Errorf("next page %s", l.Next)
	}
	v1 := `<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a.zsync</Key></Contents><Contents><Key>b</Key></Contents>%</ListBucketResult>`
	if got := next("https://b/", strings.Replace(v1, "%", "", 1)); got != "https://b/?marker=b" {
		t.Errorf("without NextMarker: %s", got)
	}
	if got := next("https://b/", strings.Replace(v1, "%", "<NextMarker>c d</NextMarker>", 1)); got != "https://b/?marker=c+d" {
		t.Errorf("with NextMarker: %s", got)
	}
	// A server that gives the same page for ever is left.
	if got := next("https://b/?marker=b", strings.Replace(v1, "%", "", 1)); got != "" {
		t.Errorf("same marker again: %s", got)
	}
}

func TestParseIndex(t *testing.T) {
	base := mustURL(t, "https://h/lists/all.txt")
	body := "\ufeff# isos\r\nhttps://m.example/a/x.iso.zsync\r\n\n  ../b/y%20z.iso.zsync?sig=1#f\nhttps://m.example/a/x.iso\nhttps://m.example/a/x.iso.zsync\n"
	l, err := ParseIndex(t.Context(), base, []byte(body))
	want := []Entry{{"x.iso.zsync", "https://m.example/a/x.iso.zsync"}, {"y z.iso.zsync", "https://h/b/y%20z.iso.zsync?sig=1"}}
	if err != nil || !slices.Equal(l.Files, want) {
		t.Fatalf("got %+v, %v", l, err)
	}
	for body, part := range map[string]string{
		"x.zsync":                               "line 1",
		"\nhttps://u:secret@h/x.zsync":          "line 2",
		"https://h/a/x.zsync\nhttp://h/x.zsync": "taken",
		"ftp://h/x.zsync":                       "http",
		"http://[/x.zsync":                      "not a URL",
		"http://h/%00.zsync":                    "name",
		"# nothing\nhttp://h/x.iso":             "not a directory listing",
		"":                                      "not a directory listing",
	} {
		l, err := ParseIndex(t.Context(), nil, []byte(body))
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %+v, %v; want an error with %q", body, l, err, part)
		}
	}
}
