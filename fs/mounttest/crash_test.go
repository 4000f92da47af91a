package mounttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
)

// TestDaemonDiesWhileMounting: a daemon that crashes before its mount is usable
// leaves its last words in the log, and no dead mount.
func TestDaemonDiesWhileMounting(t *testing.T) {
	t.Parallel()
	needMount(t)
	url, _ := deaf(t)
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: url})
	ended := make(chan daemon.Result, 1)
	go func() { ended <- m.Try() }()
	var pid int
	eventually(t, "the daemon waits for its archive", func() (err error) {
		if _, err = os.Stat(filepath.Join(m.CacheDir, "socket")); err == nil {
			pid, err = daemonOf(m)
		}
		return err
	})
	// What it would leave on the mount point, had it come that far.
	dead := daemon.Start(t, daemon.Options{Binary: binary(t), Source: serve(t, folder(t)).URL("/"), Dir: m.Dir})
	dead.Signal(syscall.SIGKILL)
	if !daemon.Mounted(m.Dir) {
		t.Fatal("nothing dead is left to take away")
	}
	must(t, syscall.Kill(pid, syscall.SIGQUIT)) // the Go runtime ends as for a panic
	r := <-ended
	log := filepath.Join(m.CacheDir, "daemon.log")
	if r.Code != 5 || !strings.Contains(r.Errors, "the daemon ended") || !strings.Contains(r.Errors, log) {
		t.Errorf("a mount whose daemon crashed: %v", r)
	}
	if strings.Contains(r.Errors, "goroutine") || !strings.Contains(m.Log(), "SIGQUIT") {
		t.Errorf("the crash is not in the log, but here: %v", r)
	}
	if daemon.Mounted(m.Dir) {
		t.Error("a dead mount is left")
	}
}

// TestMountIsGivenUp: SIGTERM ends a mount whose daemon does nothing any more, as on a
// disk that does not answer, and that daemon.
func TestMountIsGivenUp(t *testing.T) {
	t.Parallel()
	needMount(t)
	m, mount := hangingMount(t)
	must(t, mount.Process.Signal(syscall.SIGTERM))
	if err := mount.Wait(); mount.ProcessState.ExitCode() != 143 {
		t.Errorf("the mount ended with %v", err)
	}
	eventually(t, "the daemon ends", func() error { return noProcess(m) })
	if daemon.Mounted(m.Dir) {
		t.Error("something is mounted")
	}
}

// TestSecondSignal: a second signal kills, whatever the program waits for.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	needMount(t)
	m, mount := hangingMount(t)
	ended := make(chan error, 1)
	go func() { ended <- mount.Wait() }()
	eventually(t, "the mount is killed", func() error {
		_ = mount.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
			return nil
		case <-time.After(20 * time.Millisecond):
			return errors.New("it runs")
		}
	})
	if status := mount.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
		t.Errorf("it ended with %d", status.ExitStatus())
	}
	for _, pid := range m.PIDs() { // it was told to end
		must(t, syscall.Kill(pid, syscall.SIGCONT))
	}
	eventually(t, "the daemon ends", func() error { return noProcess(m) })
}

// TestPipesForFiles: a pipe in the place of a file that the user names, into which
// nobody writes, keeps no daemon from ending.
func TestPipesForFiles(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(10_000, 1))
	s := serve(t, dir)
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))

	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: s.URL("/"), Flags: []string{"--netrc", pipe}})
	mount := m.Command(m.Args("-f")...)
	must(t, mount.Start())
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when it reads
	must(t, err)
	defer writer.Close()
	must(t, mount.Process.Signal(syscall.SIGTERM))
	_ = within(t, "mount -f with a netrc file that is a pipe", mount.Wait)

	index := filepath.Join(t.TempDir(), "index")
	must(t, os.WriteFile(index, []byte(s.URL("/t.img.zsync")+"\n"), 0o600))
	m = daemon.Start(t, daemon.Options{Binary: binary(t), IndexFile: index, Flags: []string{"--refresh", "100ms"}})
	must(t, os.Rename(pipe, index))
	eventually(t, "the index file is read again", func() error {
		if _, err := os.ReadDir(m.Dir); err != nil {
			return err
		}
		if text := m.Log(); !strings.Contains(text, "it is no regular file") {
			return errors.New(text)
		}
		return nil
	})
	m.Unmount()
}

// hangingMount begins a mount whose daemon was stopped before it was made, and returns
// its command.
func hangingMount(t *testing.T) (*daemon.Mount, *exec.Cmd) {
	t.Helper()
	url, _ := deaf(t)
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: url})
	mount := m.Command(m.Args()...)
	must(t, mount.Start())
	eventually(t, "the daemon waits for its archive", func() error {
		pid, err := daemonOf(m)
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGSTOP)
		}
		return err
	})
	return m, mount
}

// daemonOf finds the daemon of m while its mount command runs as well.
func daemonOf(m *daemon.Mount) (int, error) {
	for _, pid := range m.PIDs() {
		args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if slices.Contains(strings.Split(string(args), "\x00"), "daemon") {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no daemon among the processes %v", m.PIDs())
}
