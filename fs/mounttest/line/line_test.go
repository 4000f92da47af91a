package line

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// through returns a client whose requests to server go through l.
func through(t *testing.T, server *httptest.Server, o Options) (*Line, *http.Client) {
	t.Helper()
	l, err := Open(server.Listener.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return l, &http.Client{Transport: transport}
}

func TestLineCarries(t *testing.T) {
	body := bytes.Repeat([]byte("line"), 100_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(body)
	}))
	defer server.Close()
	for _, o := range []Options{{}, {BytesPerSecond: 4 << 20}, {RoundTrip: 20 * time.Millisecond}} {
		l, client := through(t, server, o)
		for range 3 {
			resp, err := client.Get("http://" + l.Addr())
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !bytes.Equal(got, body) {
				t.Fatalf("%+v: %d bytes, %v", o, len(got), err)
			}
		}
		if n := l.Received(); n < 3*int64(len(body)) {
			t.Errorf("Received: %d", n)
		}
	}
}

// A line can take the place of one that was closed.
func TestLineAtAnAddress(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	before, _ := through(t, server, Options{})
	before.Close()
	l, client := through(t, server, Options{Address: before.Addr()})
	resp, err := client.Get("http://" + before.Addr())
	if err != nil || l.Addr() != before.Addr() {
		t.Fatalf("%s for %s: %v", l.Addr(), before.Addr(), err)
	}
	resp.Body.Close()
}

func TestLineStalls(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "answer")
	}))
	defer server.Close()
	l, client := through(t, server, Options{})
	l.Stall()
	l.Stall()
	answered := make(chan string)
	go func() {
		resp, err := client.Get("http://" + l.Addr())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answered <- string(body)
	}()
	select {
	case s := <-answered:
		t.Fatalf("answer on a stalled line: %s", s)
	case <-time.After(50 * time.Millisecond):
	}
	l.Resume()
	l.Resume()
	if s := <-answered; s != "answer" {
		t.Fatal(s)
	}
	l.Stall()
	go func() {
		_, err := client.Post("http://"+l.Addr(), "text/plain", strings.NewReader("x"))
		if err == nil {
			answered <- "answered"
			return
		}
		answered <- "cut"
	}()
	l.Close()
	if s := <-answered; s != "cut" {
		t.Fatalf("after Close: %s", s)
	}
}

// The line lets nothing through early. These are lower bounds, which hold
// however slow the machine is; what the rate is from above is the schedule's test.
func TestLineIsNeverEarly(t *testing.T) {
	body := bytes.Repeat([]byte("line"), 50_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(body)
	}))
	defer server.Close()
	const trip = 20 * time.Millisecond
	atRate := func(rate int64) time.Duration {
		return time.Duration(int64(len(body)) * int64(time.Second) / rate)
	}
	for name, c := range map[string]struct {
		o           Options
		first, next time.Duration // of the first request, and of one on an open connection
	}{
		"rate":         {Options{BytesPerSecond: 4_000_000}, atRate(4_000_000), atRate(4_000_000)},
		"round trip":   {Options{RoundTrip: trip}, 2 * trip, trip},
		"instant open": {Options{RoundTrip: trip, InstantOpen: true}, trip, trip},
		"both":         {Options{RoundTrip: trip, BytesPerSecond: 4_000_000}, 2*trip + atRate(4_000_000), trip + atRate(4_000_000)},
	} {
		l, client := through(t, server, c.o)
		for i, least := range []time.Duration{c.first, c.next} {
			begin := time.Now()
			resp, err := client.Get("http://" + l.Addr())
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			// Cut pieces are a few nanoseconds early.
			if took := time.Since(begin); took < least-time.Microsecond {
				t.Errorf("%s, request %d: took %v, at least %v is due", name, i, took, least)
			}
		}
	}
}
