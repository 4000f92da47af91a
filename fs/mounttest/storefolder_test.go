package mounttest

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// somebody is another user than those that mount.
const somebody = 1234

// TestSecurityStore: whatever the umask, all of a store is for its owner alone; and who
// gets past the modes of its socket is turned away by it.
func TestSecurityStore(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(1<<20, 3))
	s := serve(t, dir)
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: s.URL("/"), Wrap: []string{"sh", "-c", `umask 0; exec "$@"`, "sh"}})
	if r := m.Try(); r.Code != 0 {
		t.Fatal(r)
	}
	must(t, readcheck.Whole(pairOf(m, dir, "t.img")))
	waitVerified(t, m.Path("t.img"))
	closedToOthers(t, m.CacheDir, 5)

	// By hand everybody is let through to the socket.
	must(t, os.Chmod(m.CacheDir, 0o711))
	must(t, os.Chmod(filepath.Join(m.CacheDir, "socket"), 0o666))
	for _, tt := range []struct {
		user *syscall.Credential
		want bool
	}{{nil, true}, {&syscall.Credential{Uid: somebody, Gid: somebody}, false}, {nobody(), false}} {
		for _, args := range [][]string{{"status"}, {"cache", "ls"}} {
			cmd := m.Command(append(args, "--cache-dir", m.CacheDir)...)
			cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Credential: tt.user}, "/"
			r := daemon.Command(t, cmd)
			told := slices.ContainsFunc([]string{"t.img", "pid ", s.URL("/")}, func(secret string) bool { return strings.Contains(r.Output, secret) })
			if told != tt.want {
				t.Errorf("%v asks for %v: %v", tt.user, args, r)
			}
		}
	}
	if text, err := asUser(somebody, func() (string, error) { return rawStatus(m.CacheDir) }); err != nil || text != "" {
		t.Errorf("user %d got %q, %v from the socket", somebody, text, err)
	}
	if text, err := rawStatus(m.CacheDir); err != nil || !strings.Contains(text, m.Dir) {
		t.Errorf("its owner got %q, %v from the socket", text, err)
	}
	if n := mountsOf(t, m); n != 1 {
		t.Errorf("%d mounts", n)
	}
	unmount(t, m)
}

// closedToOthers looks at the modes of all that is in a store of at least so many files.
func closedToOthers(t *testing.T, dir string, least int) {
	t.Helper()
	seen := map[fs.FileMode]int{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		seen[info.Mode().Type()]++
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
	if seen[0] < least || seen[fs.ModeDir] < 2 || seen[fs.ModeSocket] != 1 {
		t.Errorf("the store has %v", seen)
	}
}

// rawStatus asks a store's socket for the status, and returns what comes.
func rawStatus(dir string) (string, error) {
	c, err := net.Dial("unix", filepath.Join(dir, "socket"))
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, "GET /v1/status HTTP/1.0\r\n\r\n")
	text, err := io.ReadAll(c)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		err = nil
	}
	return string(text), err
}

// asUser runs f on a thread that has another effective user: the kernel then says that
// sockets which it makes are that one's.
func asUser[T any](uid int, f func() (T, error)) (T, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := func(uid int) error {
		const keep = ^uintptr(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
			return errno
		}
		return nil
	}
	if err := set(uid); err != nil {
		var none T
		return none, err
	}
	out, err := f()
	if back := set(0); back != nil {
		panic(back) // nobody else may have the thread
	}
	return out, err
}

// planted is what somebody did before an ordinary user chose his store.
type planted struct {
	name string
	// do prepares dir, which is like /tmp, with what is precious, a file of the user's.
	// It returns the store to use.
	do func(t *testing.T, dir, precious string) string
	// refused is what the error says; "": it is mended, and the log says this.
	refused, mended string
}

var plantings = []planted{
	{"his folder", func(t *testing.T, dir, _ string) string {
		return ofUser(t, somebody, 0o777, filepath.Join(dir, "store"))
	}, "belongs to user 1234", ""},
	{"in his folder", func(t *testing.T, dir, _ string) string {
		his := ofUser(t, somebody, 0o777, filepath.Join(dir, "his"))
		return ofUser(t, int(nobody().Uid), 0o700, filepath.Join(his, "store"))
	}, "belongs to user 1234", ""},
	{"his link to a folder of mine", func(t *testing.T, dir, precious string) string {
		link := filepath.Join(dir, "store")
		must(t, os.Symlink(filepath.Dir(precious), link))
		must(t, os.Lchown(link, somebody, somebody))
		return link
	}, "is a link to elsewhere that user 1234 laid", ""},
	{"his link above", func(t *testing.T, dir, precious string) string {
		link := filepath.Join(dir, "above")
		must(t, os.Symlink(filepath.Dir(precious), link))
		must(t, os.Lchown(link, somebody, somebody))
		return filepath.Join(link, "store")
	}, "is a link to elsewhere that user 1234 laid", ""},
	{"log as a link in an open folder", func(t *testing.T, dir, precious string) string {
		store := ofUser(t, int(nobody().Uid), 0o777, filepath.Join(dir, "store"))
		must(t, os.Symlink(precious, filepath.Join(store, "daemon.log")))
		must(t, os.Lchown(filepath.Join(store, "daemon.log"), somebody, somebody))
		return store
	}, "belongs to user 1234", ""},
	{"lock as a hard link in an open folder", func(t *testing.T, dir, precious string) string {
		store := ofUser(t, int(nobody().Uid), 0o770, filepath.Join(dir, "store"))
		must(t, os.Link(precious, filepath.Join(store, "lock")))
		return store
	}, "has another name elsewhere", ""},
	{"his versions in an open folder", func(t *testing.T, dir, _ string) string {
		store := ofUser(t, int(nobody().Uid), 0o777, filepath.Join(dir, "store"))
		ofUser(t, somebody, 0o777, filepath.Join(store, "versions"))
		return store
	}, "belongs to user 1234", ""},
	{"everybody's parent", func(t *testing.T, dir, _ string) string {
		parent := ofUser(t, int(nobody().Uid), 0o777, filepath.Join(dir, "parent"))
		return filepath.Join(parent, "store")
	}, "everybody can change", ""},
	{"open folder", func(t *testing.T, dir, _ string) string {
		return ofUser(t, int(nobody().Uid), 0o777, filepath.Join(dir, "store"))
	}, "", "had mode 0777 and has 0700 now"},
	{"folder of my own, by a link of my own", func(t *testing.T, dir, _ string) string {
		ofUser(t, int(nobody().Uid), 0o700, filepath.Join(dir, "store"))
		link := filepath.Join(dir, "link")
		must(t, os.Symlink("store", link))
		must(t, os.Lchown(link, int(nobody().Uid), int(nobody().Gid)))
		return link
	}, "", "mounted"},
}

// ofUser makes a folder that is a user's.
func ofUser(t *testing.T, uid int, mode fs.FileMode, path string) string {
	t.Helper()
	must(t, os.Mkdir(path, 0o700))
	must(t, os.Chmod(path, mode))
	must(t, os.Chown(path, uid, uid))
	return path
}

// TestSecurityPlanted: an ordinary user's store is where somebody else can write, or has
// written before. It is refused, or closed to him, and says so; files of the user stay as
// they are.
func TestSecurityPlanted(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needMount(t)
	openDevice(t)
	served := folder(t)
	publishIn(t, served, "t.img", fixture.Random(50_000, 3))
	s := serve(t, served)
	tests := map[string]func(*testing.T){}
	for _, p := range plantings {
		tests[p.name] = func(t *testing.T) { p.try(t, s.URL("/")) }
	}
	sideBySide(t, tests)
}

func (p planted) try(t *testing.T, source string) {
	dir := folder(t)
	must(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	precious := filepath.Join(ofUser(t, int(nobody().Uid), 0o700, filepath.Join(dir, "mine")), "precious")
	must(t, os.WriteFile(precious, []byte("precious"), 0o600))
	must(t, os.Chown(precious, int(nobody().Uid), int(nobody().Gid)))
	o := daemon.Options{Binary: binary(t), Source: source, CacheDir: p.do(t, dir, precious), Credential: nobody()}
	if p.refused != "" {
		refused(t, o, p.refused)
	} else {
		m := daemon.Start(t, o)
		closedToOthers(t, realPath(t, m.CacheDir), 3)
		if !strings.Contains(m.Log(), p.mended) {
			t.Errorf("the log does not say %q:\n%s", p.mended, m.Log())
		}
		m.Unmount()
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
		t.Errorf("a file of the user is %q now, %v", text, err)
	}
	if names, err := os.ReadDir(filepath.Dir(precious)); err != nil || len(names) != 1 {
		t.Errorf("a folder of the user has %v now, %v", names, err)
	}
}

func realPath(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	must(t, err)
	return path
}

// TestSecurityForeignSocket: somebody laid a socket where an ordinary user has his store.
// It is told nothing.
func TestSecurityForeignSocket(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needMount(t)
	dir := ofUser(t, int(nobody().Uid), 0o777, filepath.Join(folder(t), "store"))
	l, err := asUser(somebody, func() (net.Listener, error) { return net.Listen("unix", filepath.Join(dir, "socket")) })
	must(t, err)
	must(t, os.Chmod(filepath.Join(dir, "socket"), 0o666))
	heard := make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(heard)
				return
			}
			_ = c.SetDeadline(time.Now().Add(2 * time.Second))
			text, _ := io.ReadAll(c)
			heard <- string(text)
			c.Close()
		}
	}()
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: "http://bob:" + password + "@127.0.0.1:1/", CacheDir: dir, Credential: nobody()})
	for _, args := range [][]string{m.Args(), {"get", "--cache-dir", dir, "http://bob:" + password + "@127.0.0.1:1/x.zsync"}, {"status", "--cache-dir", dir}} {
		r := daemon.Command(t, m.Command(args...))
		if r.Code == 0 || args[0] != "status" && !strings.Contains(r.Errors, "belongs to another user") {
			t.Errorf("%s: %v", args[0], r)
		}
	}
	l.Close()
	for text := range heard {
		if text != "" {
			t.Errorf("it was told %q", text)
		}
	}
}

// mountsOf is how many mounts the daemon of m says that it has.
func mountsOf(t *testing.T, m *daemon.Mount) int {
	t.Helper()
	r := daemon.Command(t, m.Command("status", "--json", "--cache-dir", m.CacheDir))
	var s struct {
		Mounts []any `json:"mounts"`
	}
	if err := json.Unmarshal([]byte(r.Output), &s); err != nil {
		t.Fatalf("%v: %v", err, r)
	}
	return len(s.Mounts)
}
