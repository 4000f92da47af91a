package mounttest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// deaf is a server that takes connections and never answers, until it is closed.
func deaf(t *testing.T) (url string, closeAll func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
		}
	}()
	closeAll = func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	}
	t.Cleanup(closeAll)
	return "http://" + l.Addr().String() + "/", closeAll
}

// TestFailingFirstMount: the mount that started the daemon fails, one that
// joined it meanwhile lives on.
func TestFailingFirstMount(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	url, closeAll := deaf(t)
	first := daemon.New(t, daemon.Options{Binary: binary(t), Source: url})
	ended := make(chan daemon.Result, 1)
	go func() { ended <- first.Try() }()
	eventually(t, "the daemon answers", func() error {
		if _, err := os.Stat(filepath.Join(first.CacheDir, "socket")); err != nil {
			return err
		}
		return nil
	})
	second := daemon.Start(t, daemon.Options{Binary: binary(t), Source: s.URL("/made/"), CacheDir: first.CacheDir})
	closeAll()
	if r := <-ended; r.Code != 3 {
		t.Errorf("the mount of a server that went away: %v", r)
	}
	pair := readcheck.Pair{Got: second.Path(textFile), Want: filepath.Join(dir, "made", textFile)}
	if err := readcheck.Whole(pair); err != nil {
		t.Errorf("the other mount: %v", err)
	}
	if r := daemon.Command(t, second.Program("fusermount3", "-u", second.Dir)); r.Code != 0 {
		t.Fatal(r)
	}
	eventually(t, "the daemon ends", func() error { return noProcess(second) })
	eventually(t, "the daemon ends", func() error { return noProcess(first) })
}

// TestDeadMountThatWasLookedAt: the kernel answers stat for a dead mount from
// what it remembers.
func TestDeadMountThatWasLookedAt(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/made/"))
	if _, err := os.ReadDir(m.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(m.Path(textFile)); err != nil {
		t.Fatal(err)
	}
	m.Signal(syscall.SIGKILL)
	r := daemon.Command(t, m.Command("status", m.Dir))
	if r.Code != 11 || !strings.Contains(r.Errors, "has died") || !strings.Contains(r.Errors, "zsyncfs umount") {
		t.Errorf("status of a dead mount: %v", r)
	}
	m = again(t, m, s.URL("/made/"))
	if _, err := os.ReadFile(m.Path(textFile)); err != nil {
		t.Error(err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	if n := strings.Count(string(mounts), " "+m.Dir+" "); n != 1 {
		t.Errorf("%d mounts are stacked", n)
	}
	m.Unmount()
}

// TestMountAfterLazyUmount: a file that is still open does not keep its mount
// point.
func TestMountAfterLazyUmount(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/made/"))
	f, err := os.Open(m.Path(textFile))
	must(t, err)
	defer f.Close()
	if r := daemon.Command(t, m.Command("umount", m.Dir)); r.Code == 0 {
		t.Error("umount with an open file ended well")
	}
	if r := daemon.Command(t, m.Command("umount", "--lazy", m.Dir)); r.Code != 0 {
		t.Fatal(r)
	}
	m = again(t, m, s.URL("/made/"))
	want, err := os.ReadFile(filepath.Join(dir, "made", textFile))
	must(t, err)
	if got, err := os.ReadFile(m.Path(textFile)); err != nil || string(got) != string(want) {
		t.Errorf("the new mount: %v", err)
	}
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != string(want) {
		t.Errorf("the file that was open: %v", err)
	}
	r := daemon.Command(t, m.Command("status", "--cache-dir", m.CacheDir))
	if !strings.Contains(r.Output, "files still open") {
		t.Errorf("the status does not tell of it: %v", r)
	}
	must(t, f.Close())
	m.Unmount()
}

// TestSecretsAreNotShown: neither mounts nor the log show what a URL may hide.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	source := strings.Replace(s.URL("/made/"), "http://", "http://bob:PASSWORD@", 1) + "?token=TICKET"
	m := mount(t, source, "--verbose")
	if _, err := os.ReadFile(m.Path(textFile)); err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	status := daemon.Command(t, m.Command("status", "--cache-dir", m.CacheDir, "--json"))
	control, err := xattr(m.Path(textFile), "user.zsync.control-url")
	must(t, err)
	for what, text := range map[string]string{
		"the list of mounts": string(mounts), "the log": m.Log(), "the status": fmt.Sprint(status), "an attribute": control,
	} {
		if strings.Contains(text, "PASSWORD") || strings.Contains(text, "TICKET") {
			t.Errorf("%s shows a secret:\n%s", what, text)
		}
	}
	m.Unmount()
}

// TestCacheRemoveAfterUnmount: what was read a moment ago can be removed as soon as it
// is unmounted, while its daemon ends.
func TestCacheRemoveAfterUnmount(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "one.img", fixture.Random(1<<20, 1))
	publishIn(t, dir, "two.img", fixture.Random(1<<20, 2))
	s := serve(t, dir)
	m := mount(t, s.URL("/"))
	for range 4 {
		for _, name := range []string{"one.img", "two.img"} {
			must(t, readcheck.Whole(pairOf(m, dir, name)))
		}
		if r := daemon.Command(t, m.Command("umount", m.Dir)); r.Code != 0 {
			t.Fatal(r)
		}
		r := daemon.Command(t, m.Command("cache", "rm", "--all", "--cache-dir", m.CacheDir))
		if r.Code != 0 || strings.Count(r.Output, "removed ") != 2 {
			t.Errorf("%v", r)
		}
		m = again(t, m, s.URL("/"))
	}
}
