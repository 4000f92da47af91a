package mounttest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// noProcess is nil when no process of the mount runs.
func noProcess(m *daemon.Mount) error {
	if pids := m.PIDs(); len(pids) != 0 {
		return fmt.Errorf("processes %v", pids)
	}
	return nil
}

// TestKilledDaemon: kill -9 during reads, then the same mount over the dead one.
func TestKilledDaemon(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: dir, BytesPerSecond: 8 << 20})
	m := mount(t, s.URL("/"))
	var progress atomic.Int64
	ended := make(chan error, 2)
	for _, maker := range makers {
		go func() {
			f, err := os.Open(m.Path(maker + "/" + isoFile))
			if err == nil {
				_, err = io.Copy(counter{&progress}, f)
				f.Close()
			}
			ended <- err
		}()
	}
	eventually(t, "reading", func() error {
		if n := progress.Load(); n < 2<<20 {
			return fmt.Errorf("%d bytes read", n)
		}
		return nil
	})
	m.Signal(syscall.SIGKILL)
	for range makers {
		if err := within(t, "a reader of a dead mount", func() error { return <-ended }); err == nil {
			t.Error("a reader came to the end: the daemon was not killed during reads")
		}
	}
	m = again(t, m, s.URL("/"))
	for _, maker := range makers {
		p := readcheck.Pair{Got: m.Path(maker + "/" + isoFile), Want: filepath.Join(dir, maker, isoFile)}
		if err := readcheck.Whole(p); err != nil {
			t.Error(err)
		}
	}
	m.Unmount()
}

// counter counts what is written to it.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// TestEnds: each way to end a mount ends its daemon as well.
func TestEnds(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	for name, end := range map[string]func(*testing.T, *daemon.Mount){
		"fusermount3": func(t *testing.T, m *daemon.Mount) { m.Unmount() },
		"SIGTERM":     func(t *testing.T, m *daemon.Mount) { m.Signal(syscall.SIGTERM) },
		"SIGINT":      func(t *testing.T, m *daemon.Mount) { m.Signal(syscall.SIGINT) },
		"umount": func(t *testing.T, m *daemon.Mount) {
			if r := daemon.WhileBusy(t, func() *exec.Cmd { return m.Command("umount", m.Dir) }); r.Code != 0 {
				t.Errorf("zsyncfs umount: %v", r)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := mount(t, s.URL("/made/"))
			if _, err := os.ReadFile(m.Path(textFile)); err != nil {
				t.Fatal(err)
			}
			end(t, m)
			eventually(t, "the daemon ends", func() error { return noProcess(m) })
			if daemon.Mounted(m.Dir) {
				t.Error("still mounted")
			}
			// The store was left in order: it serves the next mount at once.
			m = again(t, m, s.URL("/made/"))
			if _, err := os.ReadFile(m.Path(textFile)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestForeground: -f stays until a signal.
func TestForeground(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: s.URL("/made/")})
	cmd, out := startForeground(t, m)
	if _, err := os.ReadFile(m.Path(textFile)); err != nil {
		t.Error(err)
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := within(t, "zsyncfs mount -f", cmd.Wait); err != nil && cmd.ProcessState.ExitCode() < 0 {
		t.Errorf("it did not end by itself: %v: %s", err, out)
	}
	if daemon.Mounted(m.Dir) {
		t.Error("still mounted")
	}
}

// startForeground mounts as m says with a daemon in the foreground, and returns it and
// what it prints.
func startForeground(t *testing.T, m *daemon.Mount) (*exec.Cmd, *output) {
	t.Helper()
	cmd, out := m.Command(m.Args("-f")...), newOutput()
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	eventually(t, "mounted", func() error {
		if !daemon.Mounted(m.Dir) {
			return fmt.Errorf("not mounted: %s", out)
		}
		return nil
	})
	return cmd, out
}

// TestTwoMountsOneDaemon: a second mount of the same store joins the daemon,
// which stays until the last mount is gone.
func TestTwoMountsOneDaemon(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/made/"))
	pid := m.PID()
	second := daemon.Start(t, daemon.Options{Binary: binary(t), Source: s.URL("/zsyncmake/"), CacheDir: m.CacheDir})
	eventually(t, "no second daemon", func() error { return noProcess(second) })
	for _, p := range []readcheck.Pair{
		{Got: m.Path(oldTar), Want: filepath.Join(dir, "made", oldTar)},
		{Got: second.Path(oldTar), Want: filepath.Join(dir, "zsyncmake", oldTar)},
	} {
		if err := readcheck.Whole(p); err != nil {
			t.Error(err)
		}
	}
	if r := daemon.Command(t, m.Program("fusermount3", "-u", m.Dir)); r.Code != 0 {
		t.Fatal(r)
	}
	if err := readcheck.Whole(readcheck.Pair{Got: second.Path(textFile), Want: filepath.Join(dir, "made", textFile)}); err != nil {
		t.Errorf("after the first unmount: %v", err)
	}
	if got := m.PID(); got != pid {
		t.Errorf("the daemon changed from %d to %d", pid, got)
	}
	second.Unmount()
	eventually(t, "the daemon ends", func() error { return noProcess(m) })
}

func TestRefusedMounts(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	options := func(source string) daemon.Options { return daemon.Options{Binary: binary(t), Source: source} }
	refused(t, options(s.URL("/nothing-here/")), "404")
	refused(t, options(s.URL("/nothing-here.zsync")), "404")
	refused(t, options("ftp://127.0.0.1/x/"), "ftp")
	refused(t, options("no-URL-at-all"), "no-URL-at-all")
	nowhere := options(s.URL("/made/"))
	nowhere.Dir = filepath.Join(folder(t), "not-there")
	refused(t, nowhere, "not-there")
	for _, inside := range []string{"cache", "."} { // the store in the mount point, and the other way round
		nested := options(s.URL("/made/"))
		nested.Dir = folder(t)
		nested.CacheDir = filepath.Join(nested.Dir, inside)
		refused(t, nested, nested.CacheDir)
	}
	gone := serve(t, dir)
	gone.Stop()
	refused(t, options(gone.URL("/")), "127.0.0.1")
}

func TestUmountOfNoMount(t *testing.T) {
	t.Parallel()
	needMount(t)
	m := daemon.New(t, daemon.Options{Binary: binary(t)})
	r := daemon.Command(t, m.Command("umount", m.Dir))
	if r.Code == 0 || !strings.Contains(r.Errors, "zsyncfs: error: ") || !strings.Contains(r.Errors, m.Dir) {
		t.Errorf("umount of a plain folder: %v", r)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/made/"))
	if _, err := os.ReadFile(m.Path(textFile)); err != nil {
		t.Fatal(err)
	}
	r := daemon.Command(t, m.Command("status", "--json", "--cache-dir", m.CacheDir))
	var status any
	if err := json.Unmarshal([]byte(r.Output), &status); err != nil || r.Code != 0 {
		t.Fatalf("status --json: %v: %v", err, r)
	}
	for _, text := range []string{m.Dir, s.URL("/made/")} {
		quoted, err := json.Marshal(text)
		must(t, err)
		if !strings.Contains(r.Output, string(quoted)) {
			t.Errorf("status --json does not have %s: %v", quoted, r)
		}
	}
	if r := daemon.Command(t, m.Command("status", "--cache-dir", m.CacheDir)); r.Code != 0 || !strings.Contains(r.Output, m.Dir) {
		t.Errorf("status: %v", r)
	}
	m.Unmount()
	if r := daemon.Command(t, m.Command("status", "--json", "--cache-dir", m.CacheDir)); r.Output != "" && !json.Valid([]byte(r.Output)) {
		t.Errorf("status --json without a daemon: %v", r)
	}
}

// TestOrdinaryUser mounts, reads and unmounts as a user without privileges.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needMount(t)
	dir, _ := archive(t)
	openDevice(t)
	s := serve(t, dir)
	const nobody = 65534
	m := daemon.Start(t, daemon.Options{
		Binary: binary(t), Source: s.URL("/"), Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
	})
	for _, name := range smallFiles {
		for _, maker := range makers {
			r := daemon.Command(t, m.Program("cmp", m.Path(maker+"/"+name), filepath.Join(dir, maker, name)))
			if r.Code != 0 {
				t.Errorf("%s/%s: %v", maker, name, r)
			}
		}
	}
	// Without --allow-other even root is kept out.
	if _, err := os.ReadDir(m.Dir); !isErrno(err, syscall.EACCES) {
		t.Errorf("another user reads the mount: %v", err)
	}
	info, err := os.Stat(filepath.Join(m.CacheDir, "daemon.log"))
	must(t, err)
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != nobody {
		t.Errorf("the daemon runs as user %d", uid)
	}
	m.Unmount()
}

// openDevice lets everyone use /dev/fuse until the end of the test, as udev
// does on an ordinary system. The last of the tests that run at once closes it.
func openDevice(t *testing.T) {
	t.Helper()
	const path = "/dev/fuse"
	device.Lock()
	defer device.Unlock()
	if device.users++; device.users == 1 {
		info, err := os.Stat(path)
		must(t, err)
		device.mode = info.Mode().Perm()
		must(t, os.Chmod(path, 0o666))
	}
	t.Cleanup(func() {
		device.Lock()
		defer device.Unlock()
		if device.users--; device.users > 0 {
			return
		}
		if err := os.Chmod(path, device.mode); err != nil {
			t.Error(err)
		}
	})
}

// device is who has /dev/fuse open to everyone.
var device struct {
	sync.Mutex
	users int
	mode  os.FileMode // as it was
}

// TestAllowOther: another user reads when the mount says so.
func TestAllowOther(t *testing.T) {
	t.Parallel()
	needRoot(t) // an ordinary user would need user_allow_other in /etc/fuse.conf
	needMount(t)
	dir := folder(t)
	target := filepath.Join(dir, "t")
	must(t, os.WriteFile(target, fixture.Random(50_000, 9), 0o644))
	must(t, fixture.Zsyncmake(target))
	s := serve(t, dir)
	for _, allow := range []bool{true, false} {
		var flags []string
		if allow {
			flags = []string{"--allow-other"}
		}
		m := mount(t, s.URL("/"), flags...)
		cmd := m.Program("cmp", m.Path("t"), target)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if r := daemon.Command(t, cmd); (r.Code == 0) != allow {
			t.Errorf("--allow-other %v: another user's cmp: %v", allow, r)
		}
	}
}

// TestStatusElsewhere: who asks about a cache directory that has no mounts is told of
// those that others have.
func TestStatusElsewhere(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(10_000, 1))
	m := mount(t, serve(t, dir).URL("/"))
	r := daemon.Command(t, m.Command("status", "--cache-dir", filepath.Join(t.TempDir(), "other")))
	if r.Code != 0 || !strings.HasPrefix(r.Output, "nothing is mounted from") || !strings.Contains(r.Output, m.Dir) {
		t.Error(r)
	}
	// Whose cache directory was removed cannot be asked.
	eventually(t, "the folder is removed", func() error { return os.RemoveAll(m.CacheDir) })
	r = daemon.Command(t, m.Command("status", m.Dir))
	if r.Code != 11 || !strings.Contains(r.Errors, "was removed or replaced") || !strings.Contains(r.Errors, "hint: unmount it") {
		t.Error(r)
	}
}
