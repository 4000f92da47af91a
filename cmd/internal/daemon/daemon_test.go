package daemon

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
)

func TestSpecCheck(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string // part of the error; "" for none
	}{
		{Spec{Source: "https://h/d/"}, ""},
		{Spec{Source: "http://h/d/x.zsync", Access: access.Access{Mirrors: []string{"https://m/"}}}, ""},
		{Spec{IndexFile: "/list"}, ""},
		{Spec{}, "either"},
		{Spec{Source: "http://h/", IndexFile: "/list"}, "either"},
		{Spec{Source: "ftp://h/"}, "not an http"},
		{Spec{Source: "/local/dir"}, "not an http"},
		{Spec{Source: "http:///x"}, "no host"},
		{Spec{Source: "http://h/\x01"}, "not a URL"},
		{Spec{Source: "http://h/", Access: access.Access{Mirrors: []string{"x"}}}, "mirror"},
		{Spec{Source: "http://h/", Access: access.Access{Header: []string{"no colon"}}}, "Name: value"},
	} {
		err := c.spec.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.spec, err)
		}
	}
	if err := (&Spec{Source: "ftp://user:secret@h/"}).Check(); strings.Contains(err.Error(), "secret") {
		t.Errorf("a password is shown: %v", err)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{
		{"/a/b", "/a", true}, {"/a", "/a", true}, {"/ab", "/a", false}, {"/", "/a", false}, {"/a/..b", "/a", true},
	} {
		if got := within(c.path, c.dir); got != c.want {
			t.Errorf("within(%q, %q) = %v", c.path, c.dir, got)
		}
	}
}

func newDaemon(t testing.TB, dir string) *Daemon {
	t.Helper()
	d, err := New(t.Context(), Options{Store: dir, Version: "test", Describe: func(error) (int, string) { return 7, "a hint" }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSocket(t *testing.T) {
	// A path longer than a socket address may be.
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	c := NewClient(dir)
	if _, err := c.Status(context.Background()); !errors.Is(err, ErrNoDaemon) {
		t.Fatalf("without a daemon: %v", err)
	}
	d := newDaemon(t, dir)
	s, err := c.Status(context.Background())
	if err != nil || s.PID != os.Getpid() || s.Version != "test" || s.Store.Dir != dir || len(s.Mounts) != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	info, err := os.Stat(filepath.Join(dir, socketName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	err = c.Mount(context.Background(), Spec{Source: "ftp://h/", Dir: "/nowhere"})
	var failure *Failure
	if !errors.As(err, &failure) || failure.Code != 7 || failure.Hint != "a hint" {
		t.Errorf("a refused mount: %v", err)
	}
	if errors.Is(err, ErrNoMatch) {
		t.Errorf("a refused mount is taken for %v", ErrNoMatch)
	}
	if err := c.Mount(context.Background(), Spec{Source: "http://h/", Dir: filepath.Dir(dir)}); err == nil {
		t.Error("a mount over the store was not refused")
	}
	if _, err := c.Cache(context.Background(), CacheRequest{Op: "verify", Match: []string{"none.img"}}); !errors.Is(err, ErrNoMatch) || !errors.As(err, &failure) || failure.Code != 7 {
		t.Errorf("of a version that is not there: %v", err)
	}
	resp, err := c.http.Post("http://daemon/v1/mounts", "application/json", strings.NewReader(`{"Unknown":1}`))
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown key: %v, %v", resp.Status, err)
	}
	resp.Body.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(context.Background()); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("after its end: %v", err)
	}
}

func TestADeadDaemonsSocketIsReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, socketName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, dir)
	defer d.Close()
	if _, err := NewClient(dir).Status(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAnEndingDaemonIsNoDaemon(t *testing.T) {
	dir := t.TempDir()
	d := newDaemon(t, dir)
	defer d.Close()
	d.mu.Lock()
	d.ending = true
	d.mu.Unlock()
	err := NewClient(dir).Mount(context.Background(), Spec{Source: "http://127.0.0.1:1/", Dir: "/nowhere"})
	if !errors.Is(err, ErrNoDaemon) {
		t.Error(err)
	}
}

// TestAwaitClosed: who mounts where a mount is being closed waits for that, and not for
// ever.
func TestAwaitClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mounted{spec: Spec{Dir: "/mnt"}, gone: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := m.awaitClosed(ctx); !errors.Is(err, ErrClosing) || !strings.Contains(err.Error(), "/mnt") {
			t.Errorf("a close that does not end: %v", err)
		}
		time.AfterFunc(closePatience/2, func() { close(m.gone) })
		if err := m.awaitClosed(ctx); err != nil {
			t.Errorf("a close that ends: %v", err)
		}
		m.gone = make(chan struct{})
		cancel()
		if err := m.awaitClosed(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrClosing) {
			t.Errorf("a caller that left: %v", err)
		}
	})
}

func TestLogFileIsRotated(t *testing.T) {
	dir := t.TempDir()
	l, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	line := []byte(strings.Repeat("x", 1<<20))
	for range 9 {
		if _, err := l.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.Stat(filepath.Join(dir, "daemon.log.1"))
	if err != nil || old.Size() != LogLimit {
		t.Errorf("the old log: %v, %v", old, err)
	}
	if now, err := os.Stat(filepath.Join(dir, "daemon.log")); err != nil || now.Size() != 1<<20 {
		t.Errorf("the log: %v, %v", now, err)
	}
}
