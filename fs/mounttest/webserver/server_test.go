package webserver

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is a folder with a file "t" of 10,000 bytes, a file "ü b.zsync" and a
// folder "sub", readable by everyone.
func root(t *testing.T) (string, []byte) {
	t.Helper()
	dir, err := os.MkdirTemp("", "webserver-root-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	content := bytes.Repeat([]byte("0123456789"), 1000)
	for _, err := range []error{
		os.Chmod(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "t"), content, 0o644),
		os.WriteFile(filepath.Join(dir, "ü b.zsync"), []byte("zsync: 0\n"), 0o644),
		os.Mkdir(filepath.Join(dir, "sub"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, content
}

// get returns status and body; rng is the Range header.
func get(t *testing.T, url, rng string, auth ...string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rng != "" {
		req.Header.Set("Range", rng)
	}
	if len(auth) == 2 {
		req.SetBasicAuth(auth[0], auth[1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func TestServers(t *testing.T) {
	for _, kind := range []Kind{Nginx, Apache, Lighttpd, Python} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			dir, content := root(t)
			s := Start(t, kind, Options{Root: dir})
			wantStatus, want := 206, content[3:8]
			if kind == Python {
				wantStatus, want = 200, content
			}
			status, body := get(t, s.URL("/t"), "bytes=3-7")
			if status != wantStatus || !bytes.Equal(body, want) {
				t.Errorf("range: status %d, %d bytes", status, len(body))
			}
			status, body = get(t, s.URL("/"), "")
			if status != 200 || !strings.Contains(string(body), "b.zsync") || !strings.Contains(string(body), "sub/") {
				t.Errorf("listing: status %d\n%s", status, body)
			}
			log := s.Log(t)
			if len(log) != 2 || log[0].Path != "/t" || log[0].Status != wantStatus || log[1].Path != "/" {
				t.Fatalf("log:\n%v", log)
			}
			if kind != Python && (log[0].Bytes != 5 || log[0].Range != "bytes=3-7") {
				t.Errorf("log: %v", log[0])
			}
			s.Stop()
			if _, err := http.Get(s.URL("/t")); err == nil {
				t.Error("answers after Stop")
			}
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			if status, _ := get(t, s.URL("/t"), ""); status != 200 {
				t.Errorf("after Restart: %d", status)
			}
			if log := s.Log(t); len(log) != 3 {
				t.Errorf("log after Restart:\n%v", log)
			}
		})
	}
}

func TestAuthAndRedirects(t *testing.T) {
	for _, kind := range []Kind{Nginx, Apache, Lighttpd} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			dir, content := root(t)
			const password = "p:w d"
			s := Start(t, kind, Options{Root: dir, User: "u", Password: password})
			if status, _ := get(t, s.URL("/t"), ""); status != 401 {
				t.Errorf("without a password: %d", status)
			}
			if status, body := get(t, s.URL("/t"), "", "u", password); status != 200 || !bytes.Equal(body, content) {
				t.Errorf("with the password: %d", status)
			}
			s = Start(t, kind, Options{Root: dir, Redirects: map[string]string{"/moved.zsync": "/t"}})
			resp, err := http.Get(s.URL("/moved.zsync"))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 200 || resp.Request.URL.Path != "/t" {
				t.Errorf("redirect: %d at %s", resp.StatusCode, resp.Request.URL)
			}
			if log := s.Log(t); len(log) != 2 || log[0].Status != 302 {
				t.Errorf("log:\n%v", log)
			}
		})
	}
}

func TestNginxOnly(t *testing.T) {
	t.Parallel()
	dir, content := root(t)
	s := Start(t, Nginx, Options{Root: dir, JSONIndex: true, NoRanges: true, BytesPerSecond: 1 << 20})
	if _, body := get(t, s.URL("/"), ""); !strings.HasPrefix(strings.TrimSpace(string(body)), "[") {
		t.Errorf("listing is not JSON: %s", body)
	}
	if status, body := get(t, s.URL("/t"), "bytes=3-7"); status != 200 || !bytes.Equal(body, content) {
		t.Errorf("range: status %d, %d bytes", status, len(body))
	}
}
