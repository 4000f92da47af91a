package daemon

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// request is a request as it goes over the socket.
func request(method, path, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: daemon\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
}

// leadsElsewhere says whether a daemon would do what raw asks for: fetch, and mount.
func leadsElsewhere(raw []byte) bool {
	in := bufio.NewReader(bytes.NewReader(raw))
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		var spec Spec
		var get GetSpec
		_, _ = json.Unmarshal(body, &spec), json.Unmarshal(body, &get)
		if r.URL.Path == "/v1/mounts" && spec.Check() == nil && filepath.IsAbs(spec.Dir) || r.URL.Path == "/v1/get" && get.Check() == nil {
			return true
		}
	}
}

// FuzzSocket sends bytes to a daemon's socket. Whatever they are, the daemon answers
// the next client; and what it answers to these is HTTP, with JSON in it.
func FuzzSocket(f *testing.F) {
	for _, r := range [][]byte{
		request("GET", "/v1/status", ""),
		request("POST", "/v1/mounts", `{"Source":"http://h/","Dir":"relative/\u001b[2J"}`),
		request("POST", "/v1/mounts", `{"Source":"ftp://h/","Dir":"/nowhere","UID":-1,"Seeds":["/\u0000"]}`),
		request("POST", "/v1/mounts", `{"Unknown":1}`),
		request("POST", "/v1/get", `{"Source":"x","File":"/nowhere","Header":["A: b"]}`),
		request("POST", "/v1/cache", `{"Op":"ls","Match":["[a-","*?\\"]}`),
		request("POST", "/v1/cache", `{"Op":"rm","All":true}`),
		request("POST", "/v1/cache", `{"Op":"verify"}`),
		request("POST", "/v1/cache", `{"Op":"gc"} trailing`),
		request("POST", "/v1/cache", strings.Repeat("[", 20_000)),
		request("GET", "/debug/pprof/../../v1/status?debug=2", ""),
		append(request("GET", "/v1/status", ""), request("DELETE", "/v1/mounts", "{}")...),
		[]byte("POST /v1/cache HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n{"),
		[]byte("POST /v1/cache HTTP/1.1\r\nHost: d\r\nContent-Length: 99999999999\r\n\r\n{"),
		[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		{0x16, 3, 1, 0xff},
	} {
		f.Add(r)
	}
	store := f.TempDir()
	d := newDaemon(f, store)
	f.Cleanup(func() { d.Close() })
	client := NewClient(store)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if leadsElsewhere(raw) {
			t.Skip("this is what users ask for")
		}
		c, err := net.Dial("unix", filepath.Join(store, socketName))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		go func() { // the daemon may hang up before it has read all of it
			c.Write(raw)
			c.(*net.UnixConn).CloseWrite()
		}()
		in := bufio.NewReader(c)
		for {
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("no answer, and no end: %q", raw)
				}
				break
			}
			body, err := io.ReadAll(resp.Body)
			if resp.Header.Get("Content-Type") == "application/json" && err == nil && len(body) > 0 && !json.Valid(body) {
				t.Errorf("%s: %q", resp.Status, body)
			}
		}
		if s, err := client.Status(t.Context()); err != nil || len(s.Mounts) != 0 {
			t.Errorf("the next client got %+v, %v", s, err)
		}
	})
}

// TestLongAnswer: what has no end is not kept in memory until it ends.
func TestLongAnswer(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`{"warning":"`), io.LimitReader(neverEnds{}, 1<<40))
	if _, err := follow(endless, GetWatch{}.withDefaults()); !errors.Is(err, bufio.ErrTooLong) {
		t.Error(err)
	}
}

// neverEnds reads as the letter x.
type neverEnds struct{}

func (neverEnds) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// FuzzAnswer has a client of a get read what is no daemon's answer.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"progress":{}}` + "\n" + `{"step":{"Kind":1,"Name":"x"}}` + "\n" + `{"result":{"URL":"u","Data":"versions/x/data"}}`))
	f.Add([]byte(`{"result":{"Data":"../outside"}}`))
	f.Add([]byte(`{"result":{"Data":"link"}}`))
	f.Add([]byte(`{"result":{"Data":"/etc/passwd"}}`))
	f.Add([]byte(`{"warning":"w"}` + "\n" + `{"failure":{"message":"m","code":3}}`))
	f.Add([]byte("{}\n{}\n"))
	dir := f.TempDir()
	store := filepath.Join(dir, "store")
	inside := filepath.Join(store, "versions/x/data")
	for _, err := range []error{
		os.MkdirAll(filepath.Dir(inside), 0o700),
		os.WriteFile(inside, []byte("inside"), 0o600),
		os.WriteFile(filepath.Join(dir, "outside"), []byte("outside"), 0o600),
		os.Symlink(filepath.Join(dir, "outside"), filepath.Join(store, "link")),
	} {
		if err != nil {
			f.Fatal(err)
		}
	}
	client := NewClient(store)
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer, err := follow(bytes.NewReader(raw), GetWatch{}.withDefaults())
		if err != nil {
			return
		}
		_ = client.useAnswer(answer, func(_ GetResult, data *os.File) error {
			if data == nil {
				return nil
			}
			if p, err := io.ReadAll(data); err == nil && string(p) != "inside" {
				t.Errorf("%s was opened: %q", data.Name(), p)
			}
			return nil
		})
	})
}
