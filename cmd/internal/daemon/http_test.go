package daemon

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// newPaged is a daemon with a page that is empty.
func newPaged(t *testing.T, level *slog.LevelVar) *Daemon {
	t.Helper()
	d, err := New(t.Context(), Options{
		Store: t.TempDir(), Level: level,
		Page:  func(*Daemon, string, string) http.Handler { return http.NotFoundHandler() },
		Renew: func(a Asked) (Spec, error) { return Spec{Asked: &a}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// answers says whether a page is at a URL.
func answers(url string) bool {
	r, err := http.Get(url)
	if err != nil {
		return false
	}
	r.Body.Close()
	return true
}

// TestListenOnTheSamePort: the page goes to other addresses with the port that it has, and
// stays where it is when it cannot.
func TestListenOnTheSamePort(t *testing.T) {
	d := newPaged(t, nil)
	if err := d.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	first := d.page.url()
	_, port, _ := strings.Cut(strings.Trim(first, "/"), "127.0.0.1:")
	for _, address := range []string{"127.0.0.1:" + port, ":" + port, "127.0.0.1:" + port} {
		if err := d.Listen(address); err != nil || !answers(first) {
			t.Errorf("%s: %v, %s", address, err, d.page.url())
		}
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := d.Listen(other.Addr().String()); err == nil || d.page.url() != first || !answers(first) {
		t.Errorf("with a port that is taken: %v, %s", err, d.page.url())
	}
}

// TestUnshare: a page and a level of the log that no mount asks for any more are over.
func TestUnshare(t *testing.T) {
	level, debug := new(slog.LevelVar), slog.LevelDebug
	d := newPaged(t, level)
	said := &Spec{HTTP: "127.0.0.1:0", LogLevel: &debug}
	d.share(said)
	m := &mounted{}
	d.mounts["/one"] = m
	m.now.Store(said)
	if d.unshare([]*Spec{said}); d.page.url() == "" || level.Level() != debug {
		t.Error("what a mount says still is over")
	}
	m.now.Store(&Spec{})
	if d.unshare([]*Spec{{}}); d.page.url() == "" || level.Level() != debug {
		t.Error("what was never said by these is over")
	}
	if d.unshare([]*Spec{said}); d.page.url() != "" || level.Level() != slog.LevelInfo {
		t.Errorf("what nobody says any more stays: %s, %v", d.page.url(), level)
	}
	delete(d.mounts, "/one")
}

// TestPageConnections: who connects and says nothing takes a few descriptors only.
func TestPageConnections(t *testing.T) {
	d := newPaged(t, nil)
	if err := d.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	address := strings.Trim(strings.TrimPrefix(d.page.url(), "http:"), "/")
	before := descriptors(t)
	for range 4 * pageConns {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	time.Sleep(200 * time.Millisecond) // the server takes those that it takes
	if n := descriptors(t) - before - 4*pageConns; n > pageConns+5 {
		t.Errorf("the server has %d connections", n)
	}
}

// descriptors is how many this process has.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
