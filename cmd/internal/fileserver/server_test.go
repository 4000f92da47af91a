package fileserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

type site struct {
	t    *testing.T
	dir  string
	o    Options
	s    *Server
	http *httptest.Server
	log  *lockedBuffer
}

func newSite(t *testing.T, o Options) *site {
	t.Helper()
	st := &site{t: t, dir: t.TempDir(), log: &lockedBuffer{}}
	o.Dir = st.dir
	if o.ControlDir == "" {
		o.ControlDir = filepath.Join(t.TempDir(), "controls")
	}
	o.AccessLog = st.log
	o.Warn = func(err error) { t.Errorf("warning: %v", err) }
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	st.o, st.s = o, s
	st.http = httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		st.http.Close()
		s.Close()
	})
	return st
}

func (st *site) write(name string, data []byte) string {
	st.t.Helper()
	path := filepath.Join(st.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		st.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		st.t.Fatal(err)
	}
	return path
}

// do asks for the path as it stands in the request line.
func (st *site) do(method, path string, header ...string) (*http.Response, []byte) {
	st.t.Helper()
	req, err := http.NewRequest(method, st.http.URL, nil)
	if err != nil {
		st.t.Fatal(err)
	}
	u := *req.URL
	u.Opaque = path
	req.URL = &u
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     st.http.Client().Transport,
	}
	resp, err := client.Do(req)
	if err != nil {
		st.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		st.t.Fatal(err)
	}
	return resp, body
}

func (st *site) control(path string) (*format.Header, []byte) {
	st.t.Helper()
	resp, body := st.do("GET", path)
	if resp.StatusCode != http.StatusOK {
		st.t.Fatalf("GET %s: %s", path, resp.Status)
	}
	h, err := format.ReadHeader(bufio.NewReader(bytes.NewReader(body)))
	if err != nil {
		st.t.Fatalf("GET %s: %v", path, err)
	}
	return h, body
}

func randomBytes(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func TestFile(t *testing.T) {
	st := newSite(t, Options{})
	data := randomBytes(1 << 20)
	st.write("sub/disk.img", data)

	resp, body := st.do("GET", "/sub/disk.img")
	if resp.StatusCode != 200 || !bytes.Equal(body, data) {
		t.Fatalf("whole file: %s, %d bytes", resp.Status, len(body))
	}
	etag := resp.Header.Get("ETag")
	if etag == "" || strings.HasPrefix(etag, "W/") || resp.Header.Get("Last-Modified") == "" ||
		resp.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("header: %v", resp.Header)
	}
	resp, body = st.do("GET", "/sub/disk.img", "Range", "bytes=1000-1999", "If-Range", etag)
	if resp.StatusCode != 206 || !bytes.Equal(body, data[1000:2000]) ||
		resp.Header.Get("Content-Range") != "bytes 1000-1999/1048576" {
		t.Errorf("range: %s %v", resp.Status, resp.Header)
	}
	if resp, _ = st.do("GET", "/sub/disk.img", "If-None-Match", etag); resp.StatusCode != 304 {
		t.Errorf("same ETag: %s", resp.Status)
	}
	resp, body = st.do("HEAD", "/sub/disk.img")
	if resp.StatusCode != 200 || resp.ContentLength != 1<<20 || len(body) != 0 {
		t.Errorf("HEAD: %s, length %d", resp.Status, resp.ContentLength)
	}
	if resp, _ = st.do("GET", "/sub/disk.img", "Range", "bytes=2000000-"); resp.StatusCode != 416 {
		t.Errorf("range past the end: %s", resp.Status)
	}
	st.write("sub/disk.img", data[:999])
	if resp, _ = st.do("GET", "/sub/disk.img", "Range", "bytes=0-9", "If-Range", etag); resp.StatusCode != 200 {
		t.Errorf("If-Range with the ETag of before: %s", resp.Status)
	}
}

func TestRefused(t *testing.T) {
	st := newSite(t, Options{})
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	st.write("a/f", []byte("inside"))
	st.write(".hidden", []byte("x"))
	st.write(".git/config", []byte("x"))
	for name, to := range map[string]string{
		"abs": outside, "rel": "../../../../../../../.." + outside, "loop": "loop", "in": "a/f",
	} {
		if err := os.Symlink(to, filepath.Join(st.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/in", 200},
		{"GET", "/in.zsync", 200},
		{"GET", "/abs", 404},
		{"GET", "/abs.zsync", 404},
		{"GET", "/rel", 404},
		{"GET", "/loop", 404},
		{"GET", "/.hidden", 404},
		{"GET", "/.hidden.zsync", 404},
		{"GET", "/.git/config", 404},
		{"GET", "/a/../a/f", 404},
		{"GET", "/..%2f..%2fetc/passwd", 404},
		{"GET", "/%2e%2e/%2e%2e/etc/passwd", 404},
		{"GET", "/a//f", 404},
		{"GET", "/a/f%00", 404},
		{"GET", "/a/f/", 404},
		{"GET", "/a/f/x", 404},
		{"GET", "/none", 404},
		{"GET", "/none.zsync", 404},
		{"GET", "/.zsync", 404},
		{"GET", "/a/.zsync", 404},
		{"GET", "/a.zsync", 404},
		{"GET", "/a/f.zsync.zsync", 404},
		{"GET", "/" + strings.Repeat("n", 300), 404},
		{"GET", "/" + strings.Repeat("n", 300) + ".zsync", 404},
		{"GET", "/a", 301},
		{"POST", "/a/f", 405},
		{"PUT", "/a/new", 405},
		{"DELETE", "/a/f", 405},
	} {
		resp, body := st.do(tt.method, tt.path)
		if resp.StatusCode != tt.want || bytes.Contains(body, []byte("secret")) {
			t.Errorf("%s %s: %s, want %d", tt.method, tt.path, resp.Status, tt.want)
		}
		if tt.want == 301 && resp.Header.Get("Location") != "a/" {
			t.Errorf("%s: leads to %q", tt.path, resp.Header.Get("Location"))
		}
	}
}

// Listings are read by the project's own parser, and every link must lead to
// what it names.
func TestListing(t *testing.T) {
	st := newSite(t, Options{})
	names := []string{"plain.iso", "a b.img", "100%.bin", "q?x#y&z.bin", `<i>"quoted".bin`, "a:b", "ü.bin", "\xff.bin", "a+b.bin"}
	for _, n := range names {
		st.write(n, []byte(n))
	}
	st.write("sub dir/x", []byte("x"))
	st.write("own.bin", []byte("own"))
	st.write("own.bin.zsync", []byte("as it is"))
	st.write(".dot", nil)

	for _, accept := range []string{"text/html,application/json", "application/json"} {
		resp, body := st.do("GET", "/", "Accept", accept)
		final, _ := url.Parse(st.http.URL + "/")
		l, err := listing.Parse(t.Context(), final, resp.Header.Get("Content-Type"), body)
		if err != nil {
			t.Fatalf("%s: %v", accept, err)
		}
		want := len(names) + 1
		if accept == "application/json" {
			want-- // it cannot name the one that is not UTF-8
		}
		if len(l.Files) != want || len(l.Dirs) != 1 || l.Dirs[0].Name != "sub dir" {
			t.Errorf("%s: %d files, want %d; directories %v", accept, len(l.Files), want, l.Dirs)
		}
		for _, e := range l.Files {
			u, err := url.Parse(e.URL)
			if err != nil {
				t.Fatal(err)
			}
			if resp, _ := st.do("GET", u.EscapedPath()); resp.StatusCode != 200 {
				t.Errorf("%s: %s: %s", accept, e.URL, resp.Status)
			}
		}
	}
	if _, body := st.do("GET", "/own.bin.zsync"); string(body) != "as it is" {
		t.Errorf("the control file on disk was not served: %q", body)
	}
	resp, _ := st.do("GET", "/")
	if again, _ := st.do("GET", "/", "If-None-Match", resp.Header.Get("ETag")); again.StatusCode != 304 {
		t.Errorf("unchanged listing: %s", again.Status)
	}
	var entries []jsonEntry
	_, body := st.do("GET", "/sub%20dir/", "Accept", "application/json")
	if err := json.Unmarshal(body, &entries); err != nil || len(entries) != 2 || *entries[0].Size != 1 {
		t.Errorf("JSON: %v, %s", err, body)
	}
}

func TestControl(t *testing.T) {
	st := newSite(t, Options{})
	data := randomBytes(300_000)
	path := st.write("sub/a b.img", data)
	h, body := st.control("/sub/a%20b.img.zsync")
	if h.Length != 300_000 || h.Filename != "a b.img" || h.URLs[0] != "a%20b.img" || int64(len(body)) != h.ControlLength() {
		t.Errorf("header %+v", h)
	}
	if n := h.VerifyBlocks(0, data, body[h.Size:]); int64(n) != h.Geometry().BlockCount() {
		t.Errorf("%d blocks agree", n)
	}
	resp, part := st.do("GET", "/sub/a%20b.img.zsync", "Range", "bytes=10-29")
	if resp.StatusCode != 206 || !bytes.Equal(part, body[10:30]) {
		t.Errorf("range of the control file: %s", resp.Status)
	}
	etag := resp.Header.Get("ETag")
	if resp, _ = st.do("GET", "/sub/a%20b.img.zsync", "If-None-Match", etag); resp.StatusCode != 304 {
		t.Errorf("same ETag: %s", resp.Status)
	}

	// The same length and time of modification, other bytes.
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	data[77] ^= 1
	st.write("sub/a b.img", data)
	if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	h2, body2 := st.control("/sub/a%20b.img.zsync")
	if n := h2.VerifyBlocks(0, data, body2[h2.Size:]); int64(n) != h2.Geometry().BlockCount() {
		t.Errorf("after a change only %d blocks agree", n)
	}
	kept, err := filepath.Glob(filepath.Join(st.o.ControlDir, "*", "*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("kept %v, %v; want one control file", kept, err)
	}

	// A damaged one is made anew.
	if err := os.Truncate(kept[0], 400); err != nil {
		t.Fatal(err)
	}
	if _, body3 := st.control("/sub/a%20b.img.zsync"); !bytes.Equal(body3, body2) {
		t.Error("a damaged control file was served")
	}
}

func TestControlKeptAcrossServers(t *testing.T) {
	st := newSite(t, Options{})
	st.write("x", randomBytes(5000))
	_, body := st.control("/x.zsync")
	kept, err := filepath.Glob(filepath.Join(st.o.ControlDir, "*", "*"))
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	before, err := os.Stat(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(st.o)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	rec := httptest.NewRecorder()
	other.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/x.zsync", nil))
	after, err := os.Stat(kept[0])
	if err != nil || !os.SameFile(before, after) || !bytes.Equal(rec.Body.Bytes(), body) {
		t.Errorf("made again (%v), or other bytes", err)
	}
}

func TestOldControlsArePruned(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, strings.Repeat("a", 32))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * unusedFor)
	for _, name := range []string{"old.zsync", "new.zsync", "strange"} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "new.zsync" {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := newControls("/", Options{ControlDir: dir, Jobs: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.wg.Wait()
	c.close()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 || entries[0].Name() != "new.zsync" {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// Many clients that want one control file cause one making, and a client that
// leaves does not stop it.
func TestSingleFlight(t *testing.T) {
	st := newSite(t, Options{Jobs: 1})
	st.write("x", randomBytes(100_000))
	st.s.controls.slots <- struct{}{} // nothing can begin
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	ask := func(ctx context.Context, want int) {
		wg.Go(func() {
			rec := httptest.NewRecorder()
			st.s.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", "/x.zsync", nil))
			if rec.Code != want {
				t.Errorf("status %d, want %d", rec.Code, want)
			}
		})
	}
	waiters := func(flights, n int) func() bool {
		return func() bool {
			st.s.controls.mu.Lock()
			defer st.s.controls.mu.Unlock()
			total := 0
			for _, fl := range st.s.controls.flights {
				total += fl.waiters
			}
			return len(st.s.controls.flights) == flights && total == n
		}
	}
	ask(ctx, 503)
	eventually(t, waiters(1, 1))
	cancel()
	eventually(t, waiters(0, 0)) // the queue does not keep what nobody wants
	for range 10 {
		ask(t.Context(), 200)
	}
	eventually(t, waiters(1, 10))
	<-st.s.controls.slots
	wg.Wait()
	eventually(t, waiters(0, 0))
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for range 5000 {
		if holds() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it never came true")
}

func TestAuthentication(t *testing.T) {
	st := newSite(t, Options{User: "me", Password: "pass:word"})
	st.write("x", []byte("secret"))
	if resp, body := st.do("GET", "/x"); resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") == "" || bytes.Contains(body, []byte("secret")) {
		t.Errorf("without a password: %s", resp.Status)
	}
	req := httptest.NewRequest("GET", "/x", nil)
	req.SetBasicAuth("me", "pass:word")
	rec := httptest.NewRecorder()
	st.s.Handler().ServeHTTP(rec, req)
	if rec.Body.String() != "secret" {
		t.Errorf("with the password: %d", rec.Code)
	}
	if !strings.Contains(st.log.String(), " - me [") {
		t.Errorf("the log does not name the user: %s", st.log)
	}
}

func TestAccessLog(t *testing.T) {
	st := newSite(t, Options{})
	st.write("x", randomBytes(5000))
	st.do("GET", "/x?q=%22", "User-Agent", "a \"b\"\\")
	st.do("GET", "/x", "Range", "bytes=0-99")
	st.do("HEAD", "/x")
	st.do("HEAD", "/none")
	want := []string{`"GET /x?q=%22 HTTP/1.1" 200 5000 "-" "a \x22b\x22\x5c"`, `"GET /x HTTP/1.1" 206 100 `, `"HEAD /x HTTP/1.1" 200 0 `, `"HEAD /none HTTP/1.1" 404 0 `}
	eventually(t, func() bool { return strings.Count(st.log.String(), "\n") == len(want) })
	for i, line := range strings.Split(strings.TrimSpace(st.log.String()), "\n") {
		if !strings.Contains(line, want[i]) || !strings.HasPrefix(line, "127.0.0.1 - - [") {
			t.Errorf("line %q, want %q in it", line, want[i])
		}
	}
}

// A client that leaves in the middle: the log has what was sent, not the length.
func TestAccessLogOfAbortedRequest(t *testing.T) {
	st := newSite(t, Options{})
	path := st.write("big", nil)
	if err := os.Truncate(path, 1<<30); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", st.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := io.CopyN(io.Discard, conn, 1<<20); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	eventually(t, func() bool { return strings.HasSuffix(st.log.String(), "\n") })
	fields := strings.Fields(st.log.String())
	sent, err := strconv.ParseInt(fields[9], 10, 64)
	if err != nil || fields[8] != "200" || sent < 1<<19 || sent > 1<<29 {
		t.Errorf("log: %s", st.log)
	}
}

func TestServeAndShutdown(t *testing.T) {
	st := newSite(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- st.s.Serve(l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := st.s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/../x", "/a/", "//", "/.x", "/a\x00", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		name, _, ok := cleanPath(p)
		if !ok {
			return
		}
		if !filepath.IsLocal(name) {
			t.Errorf("%q leads to %q", p, name)
		}
	})
}
