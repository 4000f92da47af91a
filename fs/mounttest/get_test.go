package mounttest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// getFile runs "zsyncfs get" with m's store, and returns its output.
func getFile(t *testing.T, m *daemon.Mount, args ...string) daemon.Result {
	t.Helper()
	return daemon.Command(t, m.Command(append([]string{"get", "--cache-dir", m.CacheDir}, args...)...))
}

// TestGetWhileMounted: the daemon does it, into the version that a reader has
// open; then a mount reads all of it without a request.
func TestGetWhileMounted(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	content := fixture.Random(8<<20, 1)
	next := bytes.Clone(content)
	copy(next[3<<20:], fixture.Random(10_000, 2))
	want, wantNext := filepath.Join(dir, "disk-1.img"), filepath.Join(dir, "disk-2.img")
	must(t, os.WriteFile(want, content, 0o644))
	must(t, os.WriteFile(wantNext, next, 0o644))
	must(t, fixture.Make(binary(t), want, wantNext))
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: dir})
	m := mount(t, s.URL("/"), quiet...)

	open, err := os.Open(m.Path("disk-1.img"))
	must(t, err)
	defer open.Close()
	first := make([]byte, 4096)
	if _, err := open.ReadAt(first, 1<<20); err != nil || !bytes.Equal(first, content[1<<20:1<<20+4096]) {
		t.Fatalf("read before: %v", err)
	}
	out := filepath.Join(t.TempDir(), "out")
	r := getFile(t, m, s.URL("/disk-1.img.zsync"), "-o", out)
	if r.Code != 0 || !strings.HasPrefix(r.Output, "used ") || strings.HasPrefix(r.Output, "used 0 ") {
		t.Fatalf("get: %v", r)
	}
	must(t, readcheck.Whole(readcheck.Pair{Got: out, Want: want}))
	before := len(s.Log(t))
	must(t, readcheck.Whole(readcheck.Pair{Got: m.Path("disk-1.img"), Want: want}))
	if _, err := open.ReadAt(first, 5<<20); err != nil || !bytes.Equal(first, content[5<<20:5<<20+4096]) {
		t.Errorf("read by the old handle: %v", err)
	}
	if data := s.Log(t)[before:].Data(); len(data) != 0 {
		t.Errorf("data was fetched again:\n%v", data)
	}

	// The next version takes what it can from the first, and its seed in the
	// mount is left alone.
	r = getFile(t, m, s.URL("/disk-2.img.zsync"), "-o", out, "-i", m.Path("disk-1.img"))
	if r.Code != 0 || !strings.Contains(r.Errors, "lies in the mount on") {
		t.Errorf("get of the next: %v", r)
	}
	must(t, readcheck.Whole(readcheck.Pair{Got: out, Want: wantNext}))
	if sent := s.Log(t)[before:].Data().Bytes(); sent > 64<<10 {
		t.Errorf("%d bytes were fetched for a change of 10,000", sent)
	}
	r = getFile(t, m, s.URL("/none.zsync"), "-o", out)
	if r.Code != 3 || !strings.Contains(r.Errors, "404 Not Found") || !strings.Contains(r.Errors, "hint: URL must be that of a control file") {
		t.Errorf("get of what is not there: %v", r)
	}
	if r := getFile(t, m, s.URL("/disk-2.img.zsync"), "-o", m.Path("new")); r.Code == 0 {
		t.Errorf("get into the mount: %v", r)
	}
	open.Close()
	m.Unmount()

	// Without a daemon, the same store.
	if r := getFile(t, m, s.URL("/disk-2.img.zsync"), "-o", "-"); r.Code != 0 || r.Output != string(next) {
		t.Errorf("get without a daemon: code %d, %d bytes, %s", r.Code, len(r.Output), r.Errors)
	}
}

// TestGetBesideReaders: while the kernel reads versions by itself, so that nothing may be
// taken out of their files, those who share blocks with them can be had whole.
func TestGetBesideReaders(t *testing.T) {
	t.Parallel()
	needPassthrough(t)
	dir := folder(t)
	content := fixture.Random(8<<20, 1)
	want := make([]string, 4)
	for i := range want {
		copy(content[(1+2*i)<<20:], fixture.Random(10_000, uint64(10+i)))
		want[i] = filepath.Join(dir, fmt.Sprintf("disk-%d.img", i+1))
		must(t, os.WriteFile(want[i], content, 0o644))
		must(t, os.Chtimes(want[i], time.Time{}, time.Unix(1_700_000_000+int64(i%3), 0)))
	}
	must(t, fixture.Make(binary(t), want...))
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: dir})
	m := mount(t, s.URL("/"))
	must(t, readcheck.Whole(readcheck.Pair{Got: m.Path("disk-2.img"), Want: want[1]}))
	open := openDirect(t, m.Path("disk-2.img"))

	out := filepath.Join(t.TempDir(), "out")
	before := len(s.Log(t))
	for _, i := range []int{0, 2} { // an older one, and a newer
		name := filepath.Base(want[i])
		for _, args := range [][]string{{"get", "-o", out}, {"pin"}} {
			if args[0] == "pin" && i == 0 {
				continue
			}
			if r := daemon.Command(t, m.Command(append(args, "--cache-dir", m.CacheDir, s.URL("/"+name+".zsync"))...)); r.Code != 0 {
				t.Fatalf("%v of %s: %v", args, name, r)
			}
		}
		must(t, readcheck.Whole(readcheck.Pair{Got: out, Want: want[i]}))
		must(t, readcheck.Whole(readcheck.Pair{Got: m.Path(name), Want: want[i]}))
	}
	if sent := s.Log(t)[before:].Data().Bytes(); sent > 128<<10 {
		t.Errorf("%d bytes were fetched for changes of 40,000", sent)
	}
	if !isDirect(t, open) {
		t.Error("the kernel does not read the first one by itself any more")
	}
	must(t, readcheck.Whole(readcheck.Pair{Got: m.Path("disk-2.img"), Want: want[1]}))
	open.Close()

	// What takes the newest one apart does not leave it so.
	newest := readcheck.Pair{Got: m.Path("disk-3.img"), Want: want[2]}
	must(t, readcheck.Whole(newest))
	openDirect(t, newest.Got).Close()
	if r := getFile(t, m, "-o", out, s.URL("/disk-4.img.zsync")); r.Code != 0 {
		t.Fatalf("get of an older one: %v", r)
	}
	eventually(t, "the kernel reads the newest by itself again", func() error {
		must(t, readcheck.DropPages(newest.Got))
		must(t, readcheck.Whole(newest))
		f, err := os.Open(newest.Got)
		must(t, err)
		defer f.Close()
		if !isDirect(t, f) {
			return errors.New("it does not")
		}
		return nil
	})
}
