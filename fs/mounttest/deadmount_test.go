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
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
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

// mountOver mounts a file system of somebody else on m's mount point, as a program uses it.
func mountOver(t *testing.T, m *daemon.Mount) {
	t.Helper()
	must(t, unix.Mount("other", m.Dir, "tmpfs", 0, "size=64k"))
	f, err := os.Create(m.Path("used"))
	must(t, err)
	t.Cleanup(func() { f.Close() })
}

// TestMountInPlace: what is mounted where a mount was detached while files are open stays
// when the daemon of that one ends, also when it is a mount of another daemon.
func TestMountInPlace(t *testing.T) {
	t.Parallel()
	needMount(t)
	needRoot(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(10_000, 1))
	url := serve(t, dir).URL("/")
	for name, other := range map[string]func(*testing.T, *daemon.Mount) string{
		"another file system": func(t *testing.T, m *daemon.Mount) string {
			mountOver(t, m)
			return "used"
		},
		"another daemon": func(t *testing.T, m *daemon.Mount) string {
			daemon.Start(t, daemon.Options{Binary: binary(t), Source: url, Dir: m.Dir})
			return "t.img"
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := mount(t, url)
			f, err := os.Open(m.Path("t.img"))
			must(t, err)
			defer f.Close()
			if r := daemon.Command(t, m.Command("umount", "--lazy", m.Dir)); r.Code != 0 {
				t.Fatal(r)
			}
			shows := other(t, m)
			r := daemon.Command(t, m.Command("status", "--cache-dir", m.CacheDir))
			if !strings.Contains(r.Output, "files still open") {
				t.Errorf("the status takes the other mount for its own: %v", r)
			}
			m.Signal(syscall.SIGTERM)
			if _, err := os.Stat(m.Path(shows)); err != nil {
				t.Errorf("the end of the daemon took away what is mounted in its place: %v", err)
			}
			if log := m.Log(); strings.Contains(log, "level=ERROR") {
				t.Errorf("errors in the log:\n%s", log)
			}
		})
	}
}

// TestMountUnderAnother: a mount that lies under another one is left there when its daemon
// ends, at once, and the log says what to do. The other one stays.
func TestMountUnderAnother(t *testing.T) {
	t.Parallel()
	needMount(t)
	needRoot(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(10_000, 1))
	url := serve(t, dir).URL("/")
	for name, credential := range map[string]*syscall.Credential{
		"root's": nil, "an ordinary user's": {Uid: 65534, Gid: 65534},
	} {
		t.Run(name, func(t *testing.T) {
			if credential != nil {
				openDevice(t)
			}
			m := daemon.Start(t, daemon.Options{Binary: binary(t), Source: url, Credential: credential})
			mountOver(t, m)
			r := daemon.Command(t, m.Command("status", "--cache-dir", m.CacheDir))
			if !strings.Contains(r.Output, m.Dir) || strings.Contains(r.Output, "files still open") {
				t.Errorf("the status of a mount under another: %v", r)
			}
			m.Signal(syscall.SIGTERM)
			if _, err := os.Stat(m.Path("used")); err != nil {
				t.Errorf("the end of the daemon took away what lies over its mount: %v", err)
			}
			log := m.Log()
			if !strings.Contains(log, "lies under another mount") || !strings.Contains(log, "fusermount3 -u "+m.Dir) || strings.Contains(log, "in time") {
				t.Errorf("the log:\n%s", log)
			}
			must(t, unix.Unmount(m.Dir, unix.MNT_DETACH))
			oneMount(t, m)
			if r := daemon.Command(t, m.Program("fusermount3", "-u", m.Dir)); r.Code != 0 {
				t.Error(r)
			}
			if daemon.Mounted(m.Dir) {
				t.Error("what the log says leaves it mounted")
			}
		})
	}
}
