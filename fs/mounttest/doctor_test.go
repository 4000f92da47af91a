package mounttest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
)

// finding is one of what "zsyncfs doctor --json" prints.
type finding struct{ About, Verdict, Text, Remedy string }

// diagnose runs the doctor for a URL.
func diagnose(t *testing.T, url string, flags ...string) (findings []finding, code int) {
	t.Helper()
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: url})
	r := daemon.Command(t, m.Command(append([]string{"doctor", "--json", "--cache-dir", m.CacheDir, url}, flags...)...))
	if err := json.Unmarshal([]byte(r.Output), &findings); err != nil {
		t.Fatalf("%v: %v", err, r)
	}
	return findings, r.Code
}

// has says whether there is a finding of that kind whose text has words.
func has(findings []finding, about, verdict, words string) bool {
	for _, f := range findings {
		if f.About == about && f.Verdict == verdict && strings.Contains(f.Text, words) && (verdict == "ok" || f.Remedy != "" || verdict == "note") {
			return true
		}
	}
	return false
}

// TestDoctorFit: a good server, archive and machine have nothing that is bad.
func TestDoctorFit(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(300_000, 1))
	s := serve(t, dir)
	for _, url := range []string{s.URL("/"), s.URL("/t.img.zsync")} {
		findings, code := diagnose(t, url)
		if code != 0 {
			t.Errorf("%s: exit code %d: %+v", url, code, findings)
		}
		for _, want := range []struct{ about, text string }{
			{"control file", "can be read"}, {"control file", "range requests"}, {"target", "by ranges"}, {"target", "strong ETag"},
			{"target", "If-Range works"}, {"target", "several ranges"}, {"target", "agree with their checksums"},
			{"machine", "/dev/fuse"}, {"cache", "are free"},
		} {
			if !has(findings, want.about, "ok", want.text) {
				t.Errorf("%s: nothing is told of %v: %+v", url, want, findings)
			}
		}
	}
}

// TestDoctorUnreachable: who cannot reach a server is not told of listings.
func TestDoctorUnreachable(t *testing.T) {
	t.Parallel()
	needMount(t)
	for _, url := range []string{"http://127.0.0.1:1/", "http://127.0.0.1:1/t.img.zsync"} {
		findings, code := diagnose(t, url)
		if code != 3 || !has(findings, "server", "bad", "connection refused") || !strings.Contains(findings[0].Remedy, "can be reached") {
			t.Errorf("%s: exit code %d: %+v", url, code, findings)
		}
	}
}

// TestDoctorServers: what a server cannot do, or something before it does, is told.
func TestDoctorServers(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(300_000, 1))
	files := http.FileServer(http.Dir(dir))
	for name, tt := range map[string]struct {
		serve                http.HandlerFunc
		about, verdict, text string
		code                 int
	}{
		"no ranges": {func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			files.ServeHTTP(w, r)
		}, "target", "bad", "sends the whole file where a part is asked for", 3},
		"compressed": {func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, ".img") {
				w.Header().Set("Content-Encoding", "gzip")
			}
			files.ServeHTTP(w, r)
		}, "target", "bad", "Content-Encoding", 3},
		"redirected": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/t.img" {
				http.Redirect(w, r, "/other/t.img", http.StatusFound)
				return
			}
			r.URL.Path = strings.TrimPrefix(r.URL.Path, "/other")
			files.ServeHTTP(w, r)
		}, "target", "note", "it is redirected to", 0},
		"no validators but the date": {files.ServeHTTP, "target", "note", "Last-Modified", 0},
		"a login": {func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, ".img") {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			files.ServeHTTP(w, r)
		}, "target", "bad", "401", 3},
	} {
		s := httptest.NewServer(tt.serve)
		defer s.Close()
		findings, code := diagnose(t, s.URL+"/")
		if !has(findings, tt.about, tt.verdict, tt.text) || code != tt.code {
			t.Errorf("%s: exit code %d, want %d, and a %s with %q: %+v", name, code, tt.code, tt.verdict, tt.text, findings)
		}
	}
}

// TestDoctorFaults: what is wrong is told, with what to do.
func TestDoctorFaults(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "good.img", fixture.Random(300_000, 1))
	publish := func(name string, change func(*fixture.Control)) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		path := filepath.Join(dir, name, "t.img")
		must(t, os.WriteFile(path, fixture.Random(300_000, 1), 0o644))
		must(t, fixture.Zsyncmake(path))
		c, err := fixture.ReadControl(path + ".zsync")
		must(t, err)
		change(c)
		must(t, c.Write(path+".zsync"))
	}
	publish("length", func(c *fixture.Control) { c.Set("Length", "299000") })
	publish("elsewhere", func(c *fixture.Control) { c.Set("URL", "none.img") })
	publish("private", func(c *fixture.Control) { c.Set("URL", "http://127.0.0.1:1/x") })
	publish("undigested", func(c *fixture.Control) { c.Remove("SHA-1") })
	publish("broken", func(c *fixture.Control) { c.Set("Blocksize", "1000") })
	must(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o755))
	s := serve(t, dir)
	for _, tt := range []struct {
		url, about, verdict, text string
		code                      int
	}{
		{"/length/", "target", "bad", "the control file says 299000 bytes, the server 300000", 9},
		{"/elsewhere/", "target", "bad", "404", 3},
		{"/private/", "target", "bad", "127.0.0.1:1", 3},
		{"/undigested/", "control file", "note", "no digest of the whole file", 0},
		{"/broken/", "control file", "bad", "Blocksize", 4},
		{"/empty/", "server", "bad", "no control files", 3},
		{"/nowhere/", "server", "bad", "404", 3},
	} {
		findings, code := diagnose(t, s.URL(tt.url))
		if !has(findings, tt.about, tt.verdict, tt.text) || code != tt.code {
			t.Errorf("%s: exit code %d, want %d, and a %s about the %s with %q: %+v", tt.url, code, tt.code, tt.verdict, tt.about, tt.text, findings)
		}
	}
	if findings, code := diagnose(t, "http://127.0.0.1:1/"); code != 3 || !has(findings, "server", "bad", "connection refused") {
		t.Errorf("nobody listens: exit code %d: %+v", code, findings)
	}
}
