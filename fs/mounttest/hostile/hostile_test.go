package hostile

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func load(t *testing.T) []Case {
	t.Helper()
	cases, err := Load("../testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestLoad(t *testing.T) {
	seen := map[Expectation]int{}
	for _, c := range load(t) {
		seen[c.Expect]++
		if c.Control == nil && c.Name != LongLine {
			t.Errorf("%s has no control file", c.Name)
		}
	}
	if seen[Accept] == 0 || seen[Refuse] == 0 || seen[Either] == 0 {
		t.Errorf("expectations: %v", seen)
	}
}

func TestServeHTTP(t *testing.T) {
	s := NewServer(load(t))
	web := httptest.NewServer(s)
	defer web.Close()
	client := web.Client()
	target := s.cases["url-200"].Target
	for _, tt := range []struct {
		path, rng string
		status    int
		body      []byte // nil: not checked
	}{
		{"/h/", "", 200, nil},
		{"/h/url-200/", "", 200, nil},
		{"/h/url-200/t.dat", "bytes=1-3", 206, target[1:4]},
		{"/h/url-200/norange.dat", "bytes=1-3", 200, target},
		{"/h/url-200/redir/t.dat", "bytes=1-3", 206, target[1:4]},
		{"/h/url-200/t.dat.zsync", "", 200, s.cases["url-200"].Control},
		{"/h/url-200/t.dat.gz", "", 200, compress(target)},
		{"/h/" + LongLine + "/t.dat.zsync", "bytes=0-13", 206, []byte("zsync: 0.6.2\nF")},
		{"/h/nothing/t.dat", "", 404, nil},
		{"/h/url-200/nothing", "", 404, nil},
		{"/", "", 404, nil},
	} {
		req, err := http.NewRequest("GET", web.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.rng != "" {
			req.Header.Set("Range", tt.rng)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || tt.body != nil && !bytes.Equal(body, tt.body) {
			t.Errorf("%s: status %d, %d bytes, %v", tt.path, resp.StatusCode, len(body), err)
		}
	}
	if _, err := client.Get(web.URL + "/h/url-loop/loop/t.dat"); err == nil || !strings.Contains(err.Error(), "redirects") {
		t.Errorf("loop: %v", err)
	}
	if n := s.Sent(LongLine); n != 14 {
		t.Errorf("Sent: %d", n)
	}
	if calls := s.Calls(); len(calls) != 0 {
		t.Errorf("Calls: %q", calls)
	}
}
