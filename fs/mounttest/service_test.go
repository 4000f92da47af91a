package mounttest

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
)

// manager is what systemd listens on.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(folder(t), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return &manager{t, conn, path}
}

// hear returns the next message that is no sign of life, and how many of those came
// before it.
func (m *manager) hear() (message string, beats int) {
	m.t.Helper()
	p := make([]byte, 4096)
	m.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		n, err := m.conn.Read(p)
		if err != nil {
			m.t.Fatalf("nothing was told: %v", err)
		}
		if string(p[:n]) != "WATCHDOG=1" {
			return string(p[:n]), beats
		}
		beats++
	}
}

// TestService: a daemon in the foreground tells systemd when it can be used, that it
// lives, that it reloads, and that it ends; stopped, it gives no sign of life.
func TestService(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(300_000, 1))
	s := serve(t, dir)
	listening := newManager(t)
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: s.URL("/"), Environment: []string{
		"NOTIFY_SOCKET=" + listening.path, "WATCHDOG_USEC=300000",
	}})
	cmd, _ := startForeground(t, m)
	if got, _ := listening.hear(); got != "READY=1\nSTATUS=serving 1 mount" {
		t.Errorf("after the mount: %q", got)
	}
	if _, err := os.ReadFile(m.Path("t.img")); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Second)
	must(t, cmd.Process.Signal(syscall.SIGHUP))
	got, beats := listening.hear()
	if !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") || beats == 0 {
		t.Errorf("on SIGHUP: %q, after %d signs of life", got, beats)
	}
	if got, _ := listening.hear(); got != "READY=1" {
		t.Errorf("after the reload: %q", got)
	}

	must(t, cmd.Process.Signal(syscall.SIGSTOP))
	p := make([]byte, 100)
	silent := func() error {
		listening.conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		_, err := listening.conn.Read(p)
		return err
	}
	for range 3 { // what was on its way
		if err := silent(); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	if err := silent(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a daemon that was stopped says that it lives: %q, %v", p, err)
	}
	must(t, cmd.Process.Signal(syscall.SIGCONT))

	must(t, cmd.Process.Signal(syscall.SIGTERM))
	if got, _ := listening.hear(); got != "STOPPING=1" {
		t.Errorf("on SIGTERM: %q", got)
	}
	if err := within(t, "zsyncfs mount -f", cmd.Wait); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// named is an archive of a configuration file.
type named struct {
	dir   string // its mount point
	table string // in the file
}

func newNamed(t *testing.T, name, source string) named {
	dir := folder(t)
	return named{dir: dir, table: "[archive." + name + "]\nsource = '" + source + "'\nmount-point = '" + dir + "'\n"}
}

// goodAndSilent are an archive, and one whose server takes connections and says nothing.
func goodAndSilent(t *testing.T) (good, silent named) {
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(300_000, 1))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return newNamed(t, "first", serve(t, dir).URL("/")), newNamed(t, "second", "http://"+l.Addr().String()+"/")
}

// startAll mounts all archives of the configuration file at path, of which one is mounted
// on dir, in the foreground.
func startAll(t *testing.T, dir, path string, environment ...string) *exec.Cmd {
	m := daemon.New(t, daemon.Options{Binary: binary(t), Dir: dir, Environment: append(environment, "ZSYNCFS_CONFIG="+path)})
	cmd := m.Command("mount", "-f", "--all", "--cache-dir="+m.CacheDir)
	must(t, cmd.Start())
	return cmd
}

// TestReloadOfSilentServer: while a reload waits for the server of an archive that is new,
// the daemon goes on to say that it lives.
func TestReloadOfSilentServer(t *testing.T) {
	t.Parallel()
	needMount(t)
	first, second := goodAndSilent(t)
	path := filepath.Join(folder(t), "config.toml")
	listening := newManager(t)
	must(t, os.WriteFile(path, []byte(first.table), 0o600))
	cmd := startAll(t, first.dir, path, "NOTIFY_SOCKET="+listening.path, "WATCHDOG_USEC=300000")
	defer func() {
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		must(t, cmd.Wait())
	}()
	if got, _ := listening.hear(); !strings.HasPrefix(got, "READY=1") {
		t.Fatalf("after the mount: %q", got)
	}
	must(t, os.WriteFile(path, []byte(first.table+second.table), 0o600))
	must(t, cmd.Process.Signal(syscall.SIGHUP))
	if got, _ := listening.hear(); !strings.HasPrefix(got, "RELOADING=1") {
		t.Fatalf("on SIGHUP: %q", got)
	}
	p := make([]byte, 4096)
	for range 5 {
		must(t, listening.conn.SetReadDeadline(time.Now().Add(5*time.Second)))
		if n, err := listening.conn.Read(p); err != nil || string(p[:n]) != "WATCHDOG=1" {
			t.Fatalf("while it reloads: %q, %v", p[:n], err)
		}
	}
}

// TestReloadWhileMounting: SIGHUP before all is mounted ends nothing.
func TestReloadWhileMounting(t *testing.T) {
	t.Parallel()
	needMount(t)
	first, second := goodAndSilent(t)
	path := filepath.Join(folder(t), "config.toml")
	must(t, os.WriteFile(path, []byte(first.table+second.table), 0o600))
	cmd := startAll(t, first.dir, path)
	eventually(t, "the first is mounted", func() error {
		if !daemon.Mounted(first.dir) {
			return errors.New("it is not")
		}
		return nil
	})
	must(t, cmd.Process.Signal(syscall.SIGHUP))
	time.Sleep(time.Second)
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
	if state := cmd.ProcessState; !state.Exited() {
		t.Errorf("it ended by a signal: %v", state)
	}
}
