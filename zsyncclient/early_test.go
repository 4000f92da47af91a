package zsyncclient

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// TestConnect: the first request goes over the connection that was opened early, and
// one that is refused costs nothing.
func TestConnect(t *testing.T) {
	var conns atomic.Int64
	c, u := earlyClient(t, func(s *http.Server) {
		s.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				conns.Add(1)
			}
		}
	})
	c.Connect(u)
	c.Connect(u)
	for deadline := time.Now().Add(10 * time.Second); conns.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no connection was opened")
		}
	}
	for range 3 {
		a, err := c.get(context.Background(), ask{url: u})
		if err != nil {
			t.Fatal(err)
		}
		a.body.done()
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for one that was opened early", n)
	}

	// A private address that the user did not name is not dialled.
	other, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.Connect(u)
	time.Sleep(50 * time.Millisecond)
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections: a forbidden one was opened", n)
	}

	// Where nothing listens the request tries by itself, and says so.
	dead := httptest.NewServer(nil)
	gone := mustURL(dead.URL + "/")
	dead.Close()
	third, err := New(Options{Origins: []*url.URL{gone}})
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	third.Connect(gone)
	if a, err := third.get(context.Background(), ask{url: gone}); err == nil {
		a.body.done()
		t.Error("a host that is not there answered")
	}
}

// TestConnectThatWasClosed: a server that closed the connection before the first
// request, for nothing came, costs no failure.
func TestConnectThatWasClosed(t *testing.T) {
	c, u := earlyClient(t, func(s *http.Server) { s.ReadHeaderTimeout = 20 * time.Millisecond })
	c.Connect(u)
	c.early.mu.Lock()
	e := c.early.conns[hostPort(u)]
	c.early.mu.Unlock()
	<-e.watched
	a, err := c.get(context.Background(), ask{url: u})
	if err != nil {
		t.Fatal(err)
	}
	a.body.done()
}

// earlyClient is a client and the address of a server of its own, which configure is
// given before it starts.
func earlyClient(t *testing.T, configure func(*http.Server)) (*Client, *url.URL) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("x")) }))
	configure(srv.Config)
	srv.Start()
	t.Cleanup(srv.Close)
	u := mustURL(srv.URL + "/")
	c, err := New(Options{Origins: []*url.URL{u}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, u
}
