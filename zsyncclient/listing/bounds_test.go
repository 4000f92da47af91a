package listing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// allocated is how many bytes work takes from the heap, those that it gives back
// included: a measure of work that a busy machine does not change.
func allocated(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// kept is how many bytes work leaves on the heap.
func kept(work func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	work()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// deepPath is a path of at most n bytes in elements of ten, as long as links may be
// relative to.
func deepPath(n int) string { return strings.Repeat("/123456789", min(n/10, maxBaseDepth-1)) + "/" }

// TestLongBase: a page costs what it is long, whatever its links are relative to.
func TestLongBase(t *testing.T) {
	const links = 5000
	html := func(base, href string) string {
		return `<base href="` + base + `"><a href="x.zsync">` + strings.Repeat(`<a href="`+href+`">`, links)
	}
	json := `[{"name":"x.zsync","type":"file"}` + strings.Repeat(`,{"name":"b","type":"file"},{"name":"x.zsync","type":"file"}`, links/2) + `]`
	xml := `<list><file>x.zsync</file>` + strings.Repeat(`<file>b</file>`, links) + `</list>`
	deep := deepPath(maxBasePath - 1)
	for _, tt := range []struct{ name, final, kind, body string }{
		{"a base", "http://h/", htmlType, html(deep, "b")},
		{"a base, seen files", "http://h/", htmlType, html(deep, "x.zsync")},
		{"a base, up", "http://h/", htmlType, html(deep, "../x.zsync")},
		{"a base, this page", "http://h/", htmlType, html(deep, "?")},
		{"a URL", "http://h" + deep, htmlType, html("", "b/c")},
		{"a URL, JSON", "http://h" + deep, "application/json", json},
		{"a URL, XML", "http://h" + deep, "text/xml", xml},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l *Listing
			var err error
			bytes := allocated(func() { l, err = Parse(t.Context(), mustURL(t, tt.final), tt.kind, []byte(tt.body)) })
			if err != nil || len(l.Files) != 1 || len(l.Files[0].URL) < len(deep) {
				t.Fatal(err)
			}
			// To resolve one link takes more than the length of the base.
			if most := uint64(links * len(deep) / 2); bytes > most {
				t.Errorf("%d bytes for %d links", bytes, links)
			}
		})
	}
	t.Run("an index file", func(t *testing.T) {
		body := "x.zsync\n" + strings.Repeat("b\n", links)
		bytes := allocated(func() {
			if _, err := ParseIndex(t.Context(), mustURL(t, "http://h"+deep), []byte(body)); err != nil {
				t.Error(err)
			}
		})
		if most := uint64(links * len(deep) / 2); bytes > most {
			t.Errorf("%d bytes for %d lines", bytes, links)
		}
	})
}

// TestLongLink leaves out links that are too long, wherever they lead.
func TestLongLink(t *testing.T) {
	long := strings.Repeat("a/../", MaxURLLength/5) + "y.zsync"
	for kind, body := range map[string]string{
		htmlType:           `<base href="` + long + `"><a href="x.zsync"><a href="` + long + `">`,
		"application/json": `[{"name":"x.zsync","is_dir":false,"url":"x.zsync"},{"name":"y.zsync","is_dir":false,"url":"` + long + `"}]`,
	} {
		l, err := Parse(t.Context(), mustURL(t, "http://h/p/"), kind, []byte(body))
		if err != nil || !slices.Equal(names(l.Files), []string{"x.zsync"}) {
			t.Errorf("%s: %+v, %v", kind, l, err)
		}
	}
	if _, err := ParseIndex(t.Context(), mustURL(t, "http://h/p/"), []byte("x.zsync\n"+long)); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("index file: %v", err)
	}
}

// TestBaseBounds: a base that is too long is ignored, a page there refused.
func TestBaseBounds(t *testing.T) {
	for path, fits := range map[string]bool{
		deepPath(maxBasePath):                              true,
		"/" + strings.Repeat("a", maxBasePath-2) + "/":     true,
		"/" + strings.Repeat("a", maxBasePath-1) + "/":     false,
		"/" + strings.Repeat("a/", maxBaseDepth-1):         true,
		"/" + strings.Repeat("a/", maxBaseDepth):           false,
		"/" + strings.Repeat("%41", maxBasePath/3-1) + "/": true,
		"/" + strings.Repeat("%41", maxBasePath/3+1) + "/": false,
		"/?" + strings.Repeat("a", maxBasePath):            true,
		"/?" + strings.Repeat("a", MaxURLLength):           false,
	} {
		name := fmt.Sprintf("%.10s, %d bytes", path, len(path))
		l, err := Parse(t.Context(), mustURL(t, "http://h"+path), htmlType, []byte(`<a href="x.zsync">`))
		if fits && (err != nil || len(l.Files) != 1) || !fits && !errors.Is(err, ErrNotListing) {
			t.Errorf("page at %s: %v", name, err)
		}
		_, err = ParseIndex(t.Context(), mustURL(t, "http://h"+path), []byte("x.zsync"))
		if fits && err != nil || !fits && !errors.Is(err, ErrNotListing) {
			t.Errorf("index at %s: %v", name, err)
		}
		l, err = Parse(t.Context(), mustURL(t, "http://h/"), htmlType, []byte(`<base href="`+path+`"><a href="x.zsync">`))
		if err != nil || len(l.Files) != 1 {
			t.Fatalf("base %s: %v", name, err)
		}
		path, _, _ = strings.Cut(path, "?")
		if based := l.Files[0].URL == "http://h"+path+"x.zsync"; based != fits && path != "/" {
			t.Errorf("base %s: %d bytes of URL", name, len(l.Files[0].URL))
		}
	}
}

// TestURLBytes bounds what the URLs of all entries take.
func TestURLBytes(t *testing.T) {
	long := "http://h/" + strings.Repeat("x", maxBasePath-100) + "/"
	var html, index strings.Builder
	for i := range MaxURLBytes/maxBasePath + 1000 {
		fmt.Fprintf(&html, "<a href=%d.zsync>", i)
		fmt.Fprintf(&index, "%d.zsync\n", i%1000) // repeated ones count
	}
	check := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, ErrTooMany) || !strings.Contains(err.Error(), fmt.Sprint(MaxURLBytes)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := Parse(t.Context(), mustURL(t, "http://h/"), htmlType, []byte(`<base href="`+long+`">`+html.String()))
	check("base", err)
	_, err = ParseIndex(t.Context(), mustURL(t, long), []byte(index.String()))
	check("index file", err)
}

// TestNamesHoldNoLinks: an entry keeps its name and its URL, not the link that it was
// a part of.
func TestNamesHoldNoLinks(t *testing.T) {
	const count, long = 250, 8000
	var html, s3 strings.Builder
	for i := range count {
		fmt.Fprintf(&html, `<a href="d%d/?%s">`, i, strings.Repeat("q", long))
		fmt.Fprintf(&s3, `<Contents><Key>d%d/%s</Key></Contents>`, i, strings.Repeat("k", long))
	}
	for kind, body := range map[string]string{htmlType: html.String(), "text/xml": "<ListBucketResult>" + s3.String() + "</ListBucketResult>"} {
		var l *Listing
		bytes := kept(func() {
			var err error
			if l, err = Parse(t.Context(), mustURL(t, "http://h/"), kind, []byte(body)); err != nil || len(l.Dirs) != count {
				t.Fatal(err)
			}
		})
		if bytes > count*long/2 {
			t.Errorf("%s: %d entries keep %d bytes", kind, count, bytes)
		}
		runtime.KeepAlive(l)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u := mustURL(t, "http://h/")
	check := func(err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrNotListing) {
			t.Errorf("got %v", err)
		}
	}
	for kind, body := range map[string]string{
		htmlType: `<a href="x.zsync">`, "application/json": `[]`, "text/xml": `<list></list>`, "application/xml": `<ListBucketResult/>`,
	} {
		_, err := Parse(ctx, u, kind, []byte(body))
		check(err)
	}
	_, err := ParseIndex(ctx, u, []byte("x.zsync"))
	check(err)
}

// resolvedChild is child by way of the whole URL.
func resolvedChild(c *collector, href string) (u *url.URL, name string, isDir, ok bool) {
	ref, ok := parseRef(href)
	if !ok {
		return nil, "", false, false
	}
	u = resolve(c.base.url, ref)
	elems, ok := splitPath(u)
	if !ok || !isWeb(u) || !sameOrigin(u, c.final) || len(elems) <= len(c.dir) || !slices.Equal(elems[:len(c.dir)], c.dir) {
		return nil, "", false, false
	}
	rest := elems[len(c.dir):]
	if len(rest) == 2 && rest[1] == "" {
		isDir, rest = true, rest[:1]
	}
	if len(rest) != 1 || rest[0] == "" {
		return nil, "", false, false
	}
	return u, rest[0], isDir, true
}

// FuzzChild: what follows a link element by element finds what net/url resolves.
func FuzzChild(f *testing.F) {
	for _, seed := range [][3]string{
		{"http://h/p/", "", "x.zsync"}, {"http://h/p/", "/p/q/", "../q/x.zsync"}, {"http://h/p/q", "", "#top"}, {"http://h", "", "../x"},
		{"http://h/p/", "http://o/p/", "http://h/p/x"}, {"http://h/p/", "//H", "p/x"}, {"http://h/p/", "/", "?q"}, {"http://h/p/", "/p", "//h/p/./x/."},
		{"http://h/", "", "/..//x"}, {"http://h//", "", "/..//x"}, {"http://h//", "", "/a/..//x"}, {"http://h/", "", "/.././/x"}, {"http://h/p/", "", "..//x"}, {"http://h//", "", "//..//x"}, {"http://h//a/", "", "..//a/x"},
		{"http://h/a/../b/", "", "x"}, {"http://h/a/../b/", "", "/b/x/.."}, {"http://h/%2e/", "", "x"}, {"http://h/a%2fb/", "", "/a%2Fb/%41/"},
		{"http://h/a//b/", "/a//b//", "x"}, {"http://h/p/", "/q/", "../p/x/"}, {"http://h/p/x", "", ""}, {"http://h/*", "", "*"}, {"http://h/p/", "http:", "http:///x"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, final, base, href string) {
		page, err := url.Parse(final)
		if err != nil || !isWeb(page) || !isBase(page) {
			return
		}
		c := newCollector(page)
		if base != "" {
			c.rebase(base)
		}
		ref, name, isDir, ok := c.child(href)
		u, wantName, wantDir, want := resolvedChild(c, href)
		if ok != want || name != wantName || isDir != wantDir {
			t.Fatalf("%q, %v, %v; want %q, %v, %v", name, isDir, ok, wantName, wantDir, want)
		}
		if got := ""; ok {
			if got = resolve(c.base.url, ref).String(); got != u.String() {
				t.Fatalf("URL %s, want %s", got, u)
			}
		}
	})
}
