package mounttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// oneMount fails the test when not exactly one mount is on each mount point.
func oneMount(t *testing.T, mounts ...*daemon.Mount) {
	t.Helper()
	list, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	for _, m := range mounts {
		if n := strings.Count(string(list), " "+m.Dir+" "); n != 1 {
			t.Errorf("%d mounts are on %s", n, m.Dir)
		}
	}
}

// TestTortureDeadMount kills the daemon of two mounts while all kinds of reads go on,
// files are open and a program has its working directory there: the next mount on each
// mount point takes the dead one away, and what it shows is right. Once as root, once as
// an ordinary user, if there can be one.
func TestTortureDeadMount(t *testing.T) {
	t.Parallel()
	needMount(t)
	for _, user := range []struct {
		name       string
		credential *syscall.Credential
	}{
		{"this user", nil},
		{"an ordinary user", &syscall.Credential{Uid: 65534, Gid: 65534}},
	} {
		t.Run(user.name, func(t *testing.T) {
			t.Parallel()
			if user.credential != nil {
				needRoot(t)
				openDevice(t)
			}
			deadMounts(t, user.name, user.credential)
		})
	}
}

func deadMounts(t *testing.T, who string, credential *syscall.Credential) {
	dir := tortureFolder(t)
	s := serve(t, dir)
	options := daemon.Options{Binary: binary(t), Source: s.URL("/"), Credential: credential, Flags: []string{smallStore}}
	first := daemon.New(t, options)
	options.CacheDir = first.CacheDir
	second := daemon.New(t, options)
	made := trials(2, 60)
	for trial := range made {
		for _, m := range []*daemon.Mount{first, second} {
			if r := m.Try(); r.Code != 0 {
				t.Fatalf("trial %d: zsyncfs mount on what a daemon left: %v", trial, r)
			}
		}
		oneMount(t, first, second)
		var readers *readcheck.Oracle
		if credential == nil {
			readers = busy(t, first, dir, trial)
		} else if r := daemon.Command(t, first.Program("cmp", first.Path("a.img"), filepath.Join(dir, "a.img"))); r.Code != 0 {
			t.Errorf("trial %d: %v", trial, r)
		}
		killAll(t, first)
		if readers != nil {
			end(t, readers, patience)
		}
	}
	promised(t, "no dead mount", "killed, of "+who, made)
}

// busy reads in every way, and returns while that goes on; so that a daemon can be killed
// during it.
func busy(t *testing.T, m *daemon.Mount, dir string, trial int) *readcheck.Oracle {
	t.Helper()
	pairs := torturedPairs(m, dir)
	must(t, readcheck.Whole(pairs[trial%len(pairs)]))
	readers := oracle(t, pairs, uint64(trial))
	fd, err := unix.Open(m.Path("a.img"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	sleeper := exec.Command("sleep", "1000")
	sleeper.Dir = m.Dir
	must(t, sleeper.Start())
	t.Cleanup(func() {
		_ = sleeper.Process.Kill()
		_ = sleeper.Wait()
	})
	time.Sleep(time.Duration(trial%10) * 30 * time.Millisecond)
	return readers
}

// TestTortureDeadMountSupervised: a mount in the foreground ends with 0 when it was told
// to end, with open files, too, and with anything else when it crashed. Then the same
// command works again, as a supervisor would have it.
func TestTortureDeadMountSupervised(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: s.URL("/")})
	ends := []struct {
		name string
		end  func(cmd *exec.Cmd) error
		code int // -1: any but 0
	}{
		{"SIGKILL", func(c *exec.Cmd) error { return c.Process.Signal(syscall.SIGKILL) }, -1},
		{"SIGTERM", func(c *exec.Cmd) error { return c.Process.Signal(syscall.SIGTERM) }, 0},
		{"a crash of the Go runtime", func(c *exec.Cmd) error { return c.Process.Signal(syscall.SIGQUIT) }, -1},
		{"SIGINT", func(c *exec.Cmd) error { return c.Process.Signal(syscall.SIGINT) }, 0},
		{"fusermount3 -uz", func(*exec.Cmd) error { return m.Program("fusermount3", "-uz", m.Dir).Run() }, 0},
		{"SIGABRT", func(c *exec.Cmd) error { return c.Process.Signal(syscall.SIGABRT) }, -1},
		{"zsyncfs umount --lazy", func(*exec.Cmd) error { return m.Command("umount", "--lazy", m.Dir).Run() }, 0},
	}
	made := 0
	for range trials(1, 8) {
		for _, e := range ends {
			supervised(t, m, dir, e.name, e.end, e.code)
			made++
		}
	}
	promised(t, "no dead mount", "exit codes in the foreground", made)
}

func supervised(t *testing.T, m *daemon.Mount, dir, name string, end func(*exec.Cmd) error, code int) {
	t.Helper()
	out := newOutput()
	cmd := m.Command(m.Args("-f")...)
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	eventually(t, "mounted before "+name, func() error {
		// The kernel answers stat for the dead mount from what it remembers.
		err := errors.Join(unix.Statfs(m.Dir, new(unix.Statfs_t)), unix.Stat(m.Path("a.img"), new(unix.Stat_t)))
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	oneMount(t, m)
	must(t, readcheck.Whole(pairOf(m, dir, "d.bin")))
	fd, err := unix.Open(m.Path("a.img"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	must(t, end(cmd))
	if strings.Contains(name, "umount") || strings.Contains(name, "fusermount3") {
		unix.Close(fd) // a lazy unmount leaves open files alone
	} else {
		defer unix.Close(fd)
	}
	began := time.Now()
	_ = within(t, "zsyncfs mount -f after "+name, cmd.Wait)
	if took := time.Since(began); took > 5*time.Second+endSlack {
		t.Errorf("%s: ended after %v", name, took)
	}
	got := cmd.ProcessState.ExitCode()
	if code >= 0 && got != code || code < 0 && got == 0 {
		t.Errorf("exit code %d after %s: %s", got, name, out)
	}
	if code == 0 && daemon.Mounted(m.Dir) {
		t.Errorf("still mounted after %s", name)
	}
}
