package service

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// listen is the socket of a service manager.
func listen(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return c
}

func hear(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	p := make([]byte, 4096)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := c.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(p[:n])
}

func TestNotify(t *testing.T) {
	c := listen(t)
	for want, do := range map[string]func(){
		"READY=1":                  func() { Ready("") },
		"READY=1\nSTATUS=3 mounts": func() { Ready("3 mounts") },
		"STOPPING=1":               Stopping,
	} {
		if do(); hear(t, c) != want {
			t.Errorf("%q was not told", want)
		}
	}
	Reloading()
	if got := hear(t, c); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") || strings.HasSuffix(got, "=0") {
		t.Errorf("%q", got)
	}
}

// TestNobodyReads: a manager that does not read keeps nobody waiting for long.
func TestNobodyReads(t *testing.T) {
	listen(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for told := time.Duration(0); told < tellPatience/2; { // until its queue is full
			began := time.Now()
			Ready("")
			told = time.Since(began)
		}
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for ever")
	}
}

func TestWatchdog(t *testing.T) {
	c := listen(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	w := NewWatchdog()
	defer w.Stop()
	<-w.C
	w.Tell()
	if got := hear(t, c); got != "WATCHDOG=1" {
		t.Errorf("%q", got)
	}
	for _, none := range []string{"", "x", "0"} {
		t.Setenv("WATCHDOG_USEC", none)
		if other := NewWatchdog(); other.C != nil {
			t.Errorf("WATCHDOG_USEC=%q has a watchdog", none)
		}
	}
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", "1")
	if other := NewWatchdog(); other.C != nil {
		t.Error("the watchdog of another process was taken")
	}
}

func TestNobodyListens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	Ready("x")
	Stopping()
	Reloading()
}

func TestHandler(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	write := func() string {
		t.Helper()
		log := slog.New(Handler(f, &slog.HandlerOptions{Level: slog.LevelDebug})).With("mount", "/m")
		log.Debug("a")
		log.Info("b b")
		log.WithGroup("g").Warn("c", "level", 1)
		log.Error("d")
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	want := "<7>msg=a mount=/m\n<6>msg=\"b b\" mount=/m\n<4>msg=c mount=/m g.level=1\n<3>msg=d mount=/m\n"
	if got := write(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino+1))
	if got := strings.TrimPrefix(write(), want); !strings.HasPrefix(got, "time=") || !strings.Contains(got, "level=ERROR msg=d") {
		t.Errorf("elsewhere: %q", got)
	}
}
