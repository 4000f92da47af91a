package rangetest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func start(t *testing.T) *Server {
	t.Helper()
	s := New()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func get(t *testing.T, u string, header ...string) (*http.Response, []byte, error) {
	t.Helper()
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func TestRanges(t *testing.T) {
	s := start(t)
	data := []byte("0123456789")
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Put("/mem", data)
	if err := s.PutFile("/disk", name); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/mem", "/disk"} {
		for _, tc := range []struct {
			header string
			status int
			body   string
			cr     string
		}{
			{"", 200, "0123456789", ""},
			{"bytes=0-0", 206, "0", "bytes 0-0/10"},
			{"bytes=3-5", 206, "345", "bytes 3-5/10"},
			{"bytes=8-99", 206, "89", "bytes 8-9/10"},
			{"bytes=8-", 206, "89", "bytes 8-9/10"},
			{"bytes=-3", 206, "789", "bytes 7-9/10"},
			{"bytes=10-", 416, "", "bytes */10"},
			{"bytes=1-2,x", 200, "0123456789", ""},
			{"lines=1-2", 200, "0123456789", ""},
		} {
			resp, body, err := get(t, s.URL(path), "Range", tc.header)
			if err != nil || resp.StatusCode != tc.status || string(body) != tc.body || resp.Header.Get("Content-Range") != tc.cr {
				t.Errorf("%s %q: %v %q %v", path, tc.header, resp, body, err)
			}
		}
	}
	resp, _, _ := get(t, s.URL("/mem"))
	etag := resp.Header.Get("ETag")
	if resp, _, _ := get(t, s.URL("/mem"), "If-None-Match", etag); resp.StatusCode != 304 {
		t.Errorf("If-None-Match: %d", resp.StatusCode)
	}
	if resp, _, _ := get(t, s.URL("/mem"), "Range", "bytes=0-1", "If-Range", `"x"`); resp.StatusCode != 200 {
		t.Errorf("If-Range: %d", resp.StatusCode)
	}
	s.Wait()
	log := s.Log()
	if last := log[len(log)-1]; last.Path != "/mem" || last.Range != "bytes=0-1" || last.Status != 200 || last.Bytes != 10 {
		t.Errorf("log %+v", last)
	}
}

func TestFaults(t *testing.T) {
	s := start(t)
	s.Put("/f", bytes.Repeat([]byte("0123456789"), 100))
	one := func(r Rule) (*http.Response, []byte, error) {
		s.ClearRules()
		s.Add(r)
		return get(t, s.URL("/f"), "Range", "bytes=10-29")
	}
	if _, body, err := one(Rule{Fault: ShortBody, After: 5}); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) != 5 {
		t.Errorf("short body: %q %v", body, err)
	}
	if _, body, err := one(Rule{Fault: CleanShort, After: 5}); err != nil || len(body) != 5 {
		t.Errorf("clean short: %q %v", body, err)
	}
	if _, body, err := one(Rule{Fault: Reset, After: 5}); err == nil {
		t.Errorf("reset: %q", body)
	}
	if _, body, _ := one(Rule{Fault: Flip, After: 12, Every: 4}); len(body) != 20 || body[2] != '2'^0xff || body[6] != '6'^0xff || body[3] != '3' {
		t.Errorf("flip: %q", body)
	}
	if resp, body, _ := one(Rule{Fault: IgnoreRange}); resp.StatusCode != 200 || len(body) != 1000 {
		t.Errorf("ignored range: %v", resp)
	}
	if resp, _, _ := one(Rule{Fault: ContentRange, Text: "bytes 0-1/2"}); resp.Header.Get("Content-Range") != "bytes 0-1/2" {
		t.Errorf("content range: %v", resp)
	}
	if resp, _, _ := one(Rule{Fault: Gzip}); resp.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("gzip: %v", resp)
	}
	if resp, _, _ := one(Rule{Fault: Status, Status: 429, Header: http.Header{"retry-after": {"7"}}}); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("status: %v", resp)
	}
	if _, body, _ := one(Rule{Fault: Drip, Delay: time.Millisecond}); string(body) != "01234567890123456789" {
		t.Errorf("drip: %q", body)
	}
	if _, body, _ := one(Rule{Fault: LongBody, Text: "more"}); string(body) != "01234567890123456789more" {
		t.Errorf("long body: %q", body)
	}
	s.ClearRules()
	s.Add(Rule{Path: "/f*", Fault: Status, Status: 500, Skip: 1, Times: 2})
	for i, want := range []int{200, 500, 500, 200} {
		if resp, _, _ := get(t, s.URL("/f")); resp.StatusCode != want {
			t.Errorf("request %d: %d", i, resp.StatusCode)
		}
	}
}

// Several ranges are answered as other readers of such bodies understand them.
func TestParts(t *testing.T) {
	s := start(t)
	s.Put("/f", []byte("0123456789"))
	read := func() (out []string) {
		resp, body, err := get(t, s.URL("/f"), "Range", "bytes=1-2, 4-4,8-99")
		if err != nil || resp.StatusCode != 206 {
			t.Fatalf("%v %v", resp, err)
		}
		_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		for r := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
			p, err := r.NextPart()
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				return out
			}
			data, _ := io.ReadAll(p)
			out = append(out, p.Header.Get("Content-Range")+" "+string(data))
		}
	}
	if got, want := read(), []string{"bytes 1-2/10 12", "bytes 4-4/10 4", "bytes 8-9/10 89"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	s.Add(Rule{Several: 4, Fault: Status, Status: 500})
	s.Add(Rule{Several: 3, Fault: Flip, After: 4, Frame: func(f *Frame) { f.Parts = f.Parts[1:] }})
	if got, want := read(), []string{"bytes 4-4/10 \xcb", "bytes 8-9/10 89"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestRateAndRestart(t *testing.T) {
	s := start(t)
	s.Put("/f", make([]byte, 100_000))
	s.SetRate(1_000_000)
	s.SetDelay(10 * time.Millisecond)
	begun := time.Now()
	if _, body, err := get(t, s.URL("/f")); err != nil || len(body) != 100_000 {
		t.Fatal(len(body), err)
	}
	if took := time.Since(begun); took < 90*time.Millisecond {
		t.Errorf("100 kB at 1 MB/s took %v", took)
	}
	u := s.URL("/f")
	s.Add(Rule{Fault: Stall, After: 10})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = get(t, u)
	}()
	for s.Count("") < 2 {
		time.Sleep(time.Millisecond)
	}
	s.Stop()
	<-done
	if _, _, err := get(t, u); err == nil {
		t.Error("stopped, and answers")
	}
	s.ClearRules()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, u); err != nil || s.URL("/f") != u {
		t.Errorf("restarted: %v", err)
	}
}
