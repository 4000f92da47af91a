package listing

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// checkListing holds what every caller relies on, whatever the page was.
func checkListing(t *testing.T, final *url.URL, l *Listing) {
	t.Helper()
	if len(l.Files)+len(l.Dirs) > MaxEntries {
		t.Fatal("too many entries")
	}
	for _, group := range [][]Entry{l.Files, l.Dirs} {
		last := ""
		for _, e := range group {
			if e.Name <= last {
				t.Fatalf("%q after %q: not sorted, or twice", e.Name, last)
			}
			last = e.Name
			if e.Name == "." || e.Name == ".." || strings.Contains(e.Name, "/") || !utf8.ValidString(e.Name) ||
				strings.IndexFunc(e.Name, unicode.IsControl) >= 0 || len(e.Name) > MaxNameLength+len(Suffix) {
				t.Fatalf("unsafe name %q", e.Name)
			}
			u, err := url.Parse(e.URL)
			if err != nil || u.User != nil || u.Fragment != "" {
				t.Fatalf("%q: URL %q: %v", e.Name, e.URL, err)
			}
			if final != nil && !sameOrigin(u, final) {
				t.Fatalf("%q leads to another origin: %s", e.Name, e.URL)
			}
		}
	}
	for _, e := range l.Files {
		if stem, ok := strings.CutSuffix(e.Name, Suffix); !ok || stem == "" || stem == "." || stem == ".." {
			t.Fatalf("file name %q", e.Name)
		}
	}
	if l.Next != nil && !sameOrigin(l.Next, final) {
		t.Fatalf("next page in another origin: %s", l.Next)
	}
}

func fuzz(f *testing.F, pattern, contentType string, more ...string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, p := range files {
		f.Add("https://h/pub/?prefix=isos/", string(read(f, filepath.Base(p))))
	}
	for _, s := range more {
		f.Add("http://u@h:81/a%2fb", s)
	}
	f.Fuzz(func(t *testing.T, final, body string) {
		u, err := url.Parse(final)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
			return
		}
		l, err := Parse(t.Context(), u, contentType, []byte(body))
		if err == nil {
			checkListing(t, u, l)
		}
	})
}

func FuzzHTML(f *testing.F) {
	fuzz(f, "*.html", "text/html", `<base href="//x/"><a href="%2e%2e/x.zsync">`, `<a href=http:x.zsync><a href='?C=N;O=D'>`)
}

func FuzzJSON(f *testing.F) {
	fuzz(f, "*.json", "application/json", `[{"name":"../x.zsync","url":"http://o/x.zsync","is_dir":false}]`)
}

func FuzzXML(f *testing.F) {
	fuzz(f, "*.xml", "application/xml", `<ListBucketResult><Prefix>a/b</Prefix><Contents><Key>a/../x.zsync</Key></Contents><IsTruncated>true</IsTruncated></ListBucketResult>`)
}

func FuzzSniff(f *testing.F) {
	fuzz(f, "*", "", "null", "[", "<?xml?><html><a href=x.zsync>")
}

func FuzzParseIndex(f *testing.F) {
	f.Add("http://h/a/x.iso.zsync\n#\n../y.zsync")
	f.Fuzz(func(t *testing.T, body string) {
		base := &url.URL{Scheme: "https", Host: "h", Path: "/l/all.txt"}
		if l, err := ParseIndex(t.Context(), base, []byte(body)); err == nil {
			checkListing(t, nil, l)
		}
	})
}
