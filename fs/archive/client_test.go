package archive

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// webServer serves a directory of control files over HTTP, as nginx would.
type webServer struct {
	*httptest.Server
	mu        sync.Mutex
	docs      map[string][]byte // by name; guarded by mu
	login     bool              // answer everything with a login page; guarded by mu
	lists     int               // guarded by mu
	headers   int               // answers 200 and 206 for control files; guarded by mu
	unchanged int               // answers 304; guarded by mu
	bytes     int               // of bodies of control files; guarded by mu
}

func newWebServer(t *testing.T, count int) *webServer {
	s := &webServer{docs: map[string][]byte{}}
	for i := range count {
		name := fmt.Sprintf("image #%04d.iso", i)
		s.docs[name+".zsync"] = controlFile(name, 100_000_000)
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/pub/")
	doc, ok := s.docs[name]
	switch {
	case s.login:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<title>Sign in</title><form method="post"><input type="password" name="p"></form>`)
	case name == "":
		s.lists++
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<html><head><title>Index of /pub/</title></head><body><h1>Index of /pub/</h1><pre><a href=\"../\">../</a>\n")
		for n := range s.docs {
			fmt.Fprintf(w, "<a href=%q>%s</a>\n", url.PathEscape(n), html.EscapeString(n))
		}
	case !ok:
		http.NotFound(w, r)
	default:
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, len(doc)))
		c := &countingWriter{ResponseWriter: w}
		http.ServeContent(c, r, "", time.Time{}, bytes.NewReader(doc))
		s.bytes += c.bytes
		if c.status == http.StatusNotModified {
			s.unchanged++
		} else {
			s.headers++
		}
	}
}

type countingWriter struct {
	http.ResponseWriter
	status, bytes int
}

func (c *countingWriter) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return c.ResponseWriter.Write(p)
}

func (s *webServer) archive(t *testing.T, clock *clock, meta Meta) *Archive {
	u, err := url.Parse(s.URL + "/pub")
	if err != nil {
		t.Fatal(err)
	}
	client, err := zsyncclient.New(zsyncclient.Options{Origins: []*url.URL{u}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	a := NewDirectory(u, Options{Client: client, Meta: meta, Now: clock.Now, StaleWait: time.Minute})
	t.Cleanup(a.Close)
	return a
}

// listLong looks at every entry, as "ls -l" does.
func listLong(t *testing.T, a *Archive, count int) {
	t.Helper()
	entries, err := a.Root().Entries(t.Context())
	if err != nil || len(entries) != count {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		if c, err := e.File.Control(t.Context()); err != nil || c.Header.Length != 100_000_000 {
			t.Fatalf("%s: %v", e.Name, err)
		}
	}
}

// TestOverHTTP lists a thousand artifacts with the real client: cold, again,
// stale, and after a restart behind a login page.
func TestOverHTTP(t *testing.T) {
	const count = 1000
	s, clock, meta := newWebServer(t, count), newClock(), newMemory()
	a := s.archive(t, clock, meta)
	began := time.Now()
	listLong(t, a, count)
	t.Logf("cold %v", time.Since(began))
	if s.lists != 1 || s.headers != count || s.bytes > count*2100+2*singlePrefix {
		t.Errorf("%d listings, %d headers, %d bytes", s.lists, s.headers, s.bytes)
	}
	began = time.Now()
	listLong(t, a, count)
	t.Logf("warm %v", time.Since(began))
	if s.headers != count || s.unchanged != 0 {
		t.Errorf("again: %d headers, %d unchanged", s.headers, s.unchanged)
	}
	clock.pass(2 * time.Minute)
	began = time.Now()
	listLong(t, a, count)
	t.Logf("stale %v", time.Since(began))
	if s.headers != count || s.unchanged != count {
		t.Errorf("stale: %d headers, %d unchanged", s.headers, s.unchanged)
	}
	a.Close()
	s.mu.Lock()
	s.login = true
	s.mu.Unlock()
	clock.pass(time.Hour)
	listLong(t, s.archive(t, clock, meta), count)
}

func TestLoginPageFirst(t *testing.T) {
	s, clock := newWebServer(t, 1), newClock()
	s.login = true
	a := s.archive(t, clock, nil)
	if _, err := a.Root().Entries(t.Context()); !errors.Is(err, listing.ErrNotListing) {
		t.Errorf("got %v", err)
	}
	s.mu.Lock()
	s.login = false
	s.mu.Unlock()
	clock.pass(10 * time.Second)
	listLong(t, a, 1)
}
