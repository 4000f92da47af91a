package mounttest

import (
	"errors"
	"fmt"
	"io"
	"os"
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

// needPassthrough skips the test where the kernel reads no file by itself for a FUSE
// daemon (before Linux 6.9, and without root).
func needPassthrough(t *testing.T) {
	t.Helper()
	needMount(t)
	needRoot(t)
	var u unix.Utsname
	must(t, unix.Uname(&u))
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil || major < 6 || major == 6 && minor < 9 {
		t.Skip("the kernel has no FUSE passthrough")
	}
}

// isDirect says whether the kernel reads f, a file in a mount, by itself.
func isDirect(t *testing.T, f *os.File) bool {
	t.Helper()
	is, err := direct(f)
	must(t, err)
	return is
}

func direct(f *os.File) (bool, error) {
	p := make([]byte, 16)
	n, err := unix.Fgetxattr(int(f.Fd()), "user.zsync.passthrough", p)
	return err == nil && string(p[:n]) == "yes", err
}

// openDirect opens path as soon as the kernel reads it by itself, until the end of
// the test.
func openDirect(t *testing.T, path string) *os.File {
	t.Helper()
	var out *os.File
	eventually(t, "the kernel reads "+filepath.Base(path)+" by itself", func() error {
		f, err := os.Open(path)
		must(t, err)
		if !isDirect(t, f) {
			f.Close()
			return fmt.Errorf("it does not")
		}
		out = f
		return nil
	})
	t.Cleanup(func() { out.Close() })
	return out
}

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func inode(t *testing.T, f *os.File) uint64 {
	t.Helper()
	info, err := f.Stat()
	must(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

// waitVerified waits until the whole of a file in a mount was verified.
func waitVerified(t *testing.T, path string) {
	t.Helper()
	eventually(t, "it is verified", func() error {
		if state, err := xattr(path, "user.zsync.state"); state != "verified" {
			return fmt.Errorf("%s, %v", state, err)
		}
		return nil
	})
}

// allChecks reads a file in every way.
func allChecks(t *testing.T, p readcheck.Pair) {
	t.Helper()
	for _, c := range readcheck.All {
		if err := c.Run(p); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// TestPassthrough: a file that has become complete is read by the kernel, by all who
// open it from then on, while those who had it open go on; and no byte differs.
func TestPassthrough(t *testing.T) {
	t.Parallel()
	needPassthrough(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/made/"), quiet...)
	pair := readcheck.Pair{Got: m.Path(imageFile), Want: filepath.Join(dir, "made", imageFile)}
	before := openFile(t, pair.Got)
	if isDirect(t, before) {
		t.Error("the kernel reads what is not here")
	}
	must(t, readcheck.Whole(pair))
	direct := openDirect(t, pair.Got)
	if inode(t, before) != inode(t, direct) {
		t.Errorf("its inode number was %d and is %d", inode(t, before), inode(t, direct))
	}
	for _, f := range []*os.File{before, direct} {
		if isDirect(t, f) != (f == direct) {
			t.Error("an open handle has changed")
		}
		must(t, readcheck.Whole(readcheck.Pair{Got: fmt.Sprintf("/proc/self/fd/%d", f.Fd()), Want: pair.Want}))
	}
	sent := len(s.Log(t))
	allChecks(t, pair)
	must(t, readcheck.Whole(pair))
	if n := len(s.Log(t)); n != sent {
		t.Errorf("%d requests for what is here", n-sent)
	}
}

// TestPassthroughBegins: whoever opens a file while the kernel begins to read it by
// itself can do so.
func TestPassthroughBegins(t *testing.T) {
	t.Parallel()
	needPassthrough(t)
	dir := folder(t)
	publishIn(t, dir, "disk.img", fixture.Random(300_000, 8))
	s := serve(t, dir)
	m := mount(t, s.URL("/"), quiet...)
	must(t, readcheck.Whole(pairOf(m, dir, "disk.img")))
	openDirect(t, m.Path("disk.img")).Close()
	for range 10 {
		m.Unmount()
		m = again(t, m, s.URL("/"), quiet...)
		readers := make(chan error)
		const count = 4
		for range count {
			go func() { readers <- openUntilDirect(m.Path("disk.img")) }()
		}
		for range count {
			if err := <-readers; err != nil {
				t.Error(err)
			}
		}
	}
}

// openUntilDirect opens and reads a file in a mount again and again, until the kernel
// has read it by itself for some of these times.
func openUntilDirect(path string) error {
	deadline := time.Now().Add(hang)
	for times := 0; times < 10; {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		is, errDirect := direct(f)
		f.Close()
		if err := errors.Join(err, errDirect); err != nil {
			return err
		}
		if is {
			times++
		} else if time.Now().After(deadline) {
			return fmt.Errorf("%s: the kernel does not read it by itself", path)
		}
	}
	return nil
}

// TestPassthroughAfterRestart: what was not read since the start has not been held
// against its checksums, so it is before the kernel gets it; a byte that rotted is
// never seen.
func TestPassthroughAfterRestart(t *testing.T) {
	t.Parallel()
	needPassthrough(t)
	dir := folder(t)
	data := fixture.Random(12<<20, 5)
	publishIn(t, dir, "disk.img", data)
	s := serve(t, dir)
	m := mount(t, s.URL("/"), quiet...)
	pair := pairOf(m, dir, "disk.img")
	must(t, readcheck.Whole(pair))
	openDirect(t, pair.Got).Close()
	m.Unmount()

	files, err := filepath.Glob(filepath.Join(m.CacheDir, "versions", "*", "data"))
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("the store has %v", files)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{^data[9<<20]}, 9<<20)
	must(t, err)
	must(t, f.Close())

	again(t, m, s.URL("/"), quiet...)
	first := openFile(t, pair.Got)
	if isDirect(t, first) {
		t.Error("the kernel reads what nobody checked")
	}
	p := make([]byte, 4096)
	for off := int64(0); off < int64(len(data))/2; off += 16 << 10 { // as much as all of it costs
		_, err := first.ReadAt(p, off)
		must(t, err)
	}
	must(t, readcheck.Whole(pair))
	openDirect(t, pair.Got)
	allChecks(t, pair)
}

// TestPassthroughOff: --passthrough=off has the daemon answer all reads.
func TestPassthroughOff(t *testing.T) {
	t.Parallel()
	needPassthrough(t)
	dir := folder(t)
	publishIn(t, dir, "disk.img", fixture.Random(2<<20, 6))
	s := serve(t, dir)
	m := mount(t, s.URL("/"), append([]string{"--passthrough=off"}, quiet...)...)
	pair := pairOf(m, dir, "disk.img")
	must(t, readcheck.Whole(pair))
	waitVerified(t, pair.Got)
	if isDirect(t, openFile(t, pair.Got)) {
		t.Error("the kernel reads it by itself")
	}
	allChecks(t, pair)
}

// TestPassthroughRefused: in a user namespace root may mount, but not hand files to
// the kernel. Nothing is lost but speed.
func TestPassthroughRefused(t *testing.T) {
	t.Parallel()
	needPassthrough(t)
	needProgram(t, "unshare", "cmp")
	dir := folder(t)
	publishIn(t, dir, "disk.img", fixture.Random(2<<20, 7))
	s := serve(t, dir)
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: s.URL("/"), Flags: quiet})
	if r := daemon.Command(t, m.Program("unshare", "-Urm", "true")); r.Code != 0 {
		t.Skipf("no user namespaces: %v", r)
	}
	script := `set -e
"$@"
for i in 1 2 3; do
	cmp "$DIR/disk.img" "$WANT"
	sleep 0.3 # it is being verified
done
cat "$DIR/disk.img" | cmp - "$WANT"
exec 5<"$DIR/disk.img"
cmp - "$WANT" <&5
umount -l "$DIR"
`
	cmd := m.Program("unshare", append([]string{"-Urm", "sh", "-c", script, "sh", binary(t)}, m.Args()...)...)
	cmd.Env = append(cmd.Env, "DIR="+m.Dir, "WANT="+filepath.Join(dir, "disk.img"))
	if r := daemon.Command(t, cmd); r.Code != 0 {
		t.Errorf("%v\n%s", r, m.Log())
	}
	eventually(t, "the daemon ends once its readers have", func() error {
		if log := m.Log(); !strings.Contains(log, "unmounted") {
			return fmt.Errorf("the daemon's log:\n%s", log)
		}
		return nil
	})
}

// TestPassthroughAndTheNextVersion: while the kernel has the file of the version
// before, blocks stay in it; when it is closed the next version gets them.
func TestPassthroughAndTheNextVersion(t *testing.T) {
	t.Parallel()
	needPassthrough(t)
	dir := folder(t)
	one := fixture.Random(12<<20, 8)
	publishIn(t, dir, "disk-1.img", one)
	s := serve(t, dir)
	m := mount(t, s.URL("/"), "--refresh=1s")
	first := pairOf(m, dir, "disk-1.img")
	must(t, readcheck.Whole(first))
	open := openDirect(t, first.Got)

	publishIn(t, dir, "disk-2.img", updated(one, 9))
	second := pairOf(m, dir, "disk-2.img")
	eventually(t, "the second version shows", func() error {
		_, err := os.Stat(second.Got)
		return err
	})
	must(t, readcheck.Whole(second))
	waitVerified(t, second.Got)
	must(t, readcheck.Whole(readcheck.Pair{Got: fmt.Sprintf("/proc/self/fd/%d", open.Fd()), Want: first.Want}))
	if shared, err := xattr(second.Got, "user.zsync.blocks-shared"); shared == "0" {
		t.Errorf("blocks were moved out of a file that the kernel has; %v", err)
	}
	must(t, open.Close())
	openDirect(t, second.Got)
	allChecks(t, second)
	allChecks(t, first)
	if log := m.Log(); strings.Contains(log, "bring its blocks") {
		t.Errorf("a warning of what is no fault:\n%s", log)
	}
}
