package mounttest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/outage"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// stuckDeadline is the read deadline of mounts whose server gets out of reach, and
// stuckSlack what a system call may take beyond it: a second of the promise, the rest
// for a busy machine and the race detector. Twice the deadline is more than both.
const stuckDeadline, stuckSlack = 4 * time.Second, 3500 * time.Millisecond

// endSlack is what a busy machine may add to the 5 s in which a daemon ends, and to the
// second in which a killed reader is gone.
const endSlack = 4 * time.Second

// stage is a server that can get out of reach, and what its mount needs.
type stage struct {
	url   string // of the server that is to get out of reach
	other string // of one that is not
	root  string // where the file system of the mount is seen; "" is /
	wrap  []string
	cut   func()
	mend  func()
}

// outages are the ways to get out of reach. They serve dir; other servers are at "other".
var outages = []struct {
	name string
	set  func(t *testing.T, dir string) *stage
}{
	{"server killed", func(t *testing.T, dir string) *stage {
		s := serve(t, dir)
		return &stage{url: s.URL("/"), other: serve(t, dir).URL("/"), cut: s.Stop, mend: func() { must(t, s.Restart()) }}
	}},
	{"server stopped", func(t *testing.T, dir string) *stage {
		s := serve(t, dir)
		return &stage{
			url: s.URL("/"), other: serve(t, dir).URL("/"),
			cut: func() { must(t, s.Pause()) }, mend: func() { must(t, s.Resume()) },
		}
	}},
	{"byte now and then", func(t *testing.T, dir string) *stage {
		d := outage.Open(t, nil, "127.0.0.1", serve(t, dir).Addr())
		return &stage{url: d.URL("/"), other: serve(t, dir).URL("/"), cut: d.Slow, mend: d.Fast}
	}},
	{"backlog full", func(t *testing.T, dir string) *stage {
		d := outage.Open(t, nil, "127.0.0.1", serve(t, dir).Addr())
		return &stage{url: d.URL("/"), other: serve(t, dir).URL("/"), cut: d.Full, mend: d.Empty}
	}},
	{"black hole", func(t *testing.T, dir string) *stage {
		near, far := outage.New(t, ""), outage.New(t, "")
		near.Join(far)
		s := wired(t, dir, near, far)
		s.cut = func() { near.Hole("10.77.0.2") }
		s.mend = func() { near.Fill("10.77.0.2") }
		return s
	}},
	{"cable pulled", func(t *testing.T, dir string) *stage {
		near, far := outage.New(t, ""), outage.New(t, "")
		near.Join(far)
		s := wired(t, dir, near, far)
		s.cut = func() { far.Run("ip", "link", "set", "cable", "down") }
		s.mend = func() { far.Run("ip", "link", "set", "cable", "up") }
		return s
	}},
	{"no answer of the DNS", func(t *testing.T, dir string) *stage {
		n := outage.New(t, "127.0.0.1")
		names := outage.ServeNames(t, n)
		d := outage.Open(t, n, "127.0.0.1", serve(t, dir).Addr())
		_, port, _ := strings.Cut(d.Addr(), ":")
		return &stage{
			url:   "http://files.example:" + port + "/",
			other: outage.Open(t, n, "127.0.0.1", serve(t, dir).Addr()).URL("/"),
			root:  n.Root(), wrap: n.Wrap(),
			cut:  func() { names.Silence(); d.Shut() },
			mend: func() { d.Reopen(); names.Speak() },
		}
	}},
	{"blocks, but no control files", func(t *testing.T, dir string) *stage {
		h := outage.Proxy(t, serve(t, dir).URL(""), func(path string) bool { return strings.HasSuffix(path, ".img") })
		return &stage{url: h.URL("/"), other: serve(t, dir).URL("/"), cut: h.Hold, mend: h.Release}
	}},
}

// wired is a stage of a mount in near, whose server is in far.
func wired(t *testing.T, dir string, near, far *outage.Namespace) *stage {
	t.Helper()
	return &stage{
		url:   outage.Open(t, far, "10.77.0.2", serve(t, dir).Addr()).URL("/"),
		other: outage.Open(t, near, "127.0.0.1", serve(t, dir).Addr()).URL("/"),
		wrap:  near.Wrap(),
	}
}

const (
	stuckFile = "far.img"   // read in parts
	localFile = "local.img" // read as a whole before the server gets out of reach
)

// stuckFolder has what stages serve: files, of which only some are looked at before the
// server is out of reach, and folders.
var stuckFolder = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(base, "stuck")
	files := []string{stuckFile, localFile, "known.img"}
	for i := range 20 {
		files = append(files, fmt.Sprintf("listed-%d/in.img", i), fmt.Sprintf("folder-%d/in.img", i))
	}
	small := fixture.Random(150_000, 12)
	for i, name := range files {
		data := small
		if i < 2 {
			data = fixture.Random(8<<20, uint64(20+i))
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			return "", err
		}
		files[i] = path
	}
	program, err := buildOnce()
	if err != nil {
		return "", err
	}
	return dir, fixture.Make(program, files...)
})

// stuckMount is a mount of a stage, and one of another server by the same daemon.
type stuckMount struct {
	*stage
	t        *testing.T
	dir      string // of the originals
	m, other *daemon.Mount
	next     int   // names that nobody looked at yet begin with this number
	fds      []int // of the calls
}

func mountStage(t *testing.T, s *stage, dir string) *stuckMount {
	t.Helper()
	flags := []string{"--read-deadline", stuckDeadline.String(), "--refresh=1s", "--passthrough=off"}
	sm := &stuckMount{stage: s, t: t, dir: dir}
	options := daemon.Options{Binary: binary(t), Source: s.url, Flags: flags, Wrap: s.wrap}
	sm.m = daemon.New(t, options)
	options.Source, options.CacheDir = s.other, sm.m.CacheDir
	sm.other = daemon.New(t, options)
	sm.mount()
	return sm
}

// mount mounts both.
func (s *stuckMount) mount() {
	s.t.Helper()
	for _, m := range []*daemon.Mount{s.m, s.other} {
		if r := m.Try(); r.Code != 0 {
			s.t.Fatalf("zsyncfs mount: %v", r)
		}
	}
}

// path is where name is in the mount, seen from the test.
func (s *stuckMount) path(name string) string { return s.root + s.m.Path(name) }

// call is a system call that has to end in time.
type call struct {
	name string
	// fails says that there is nothing that it could succeed with.
	fails bool
	run   func() error
}

// open gives a descriptor without Go's poller in between.
func (s *stuckMount) open(name string, flags int) int {
	s.t.Helper()
	fd, err := unix.Open(s.path(name), unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
	must(s.t, err)
	s.fds = append(s.fds, fd)
	return fd
}

func pread(fd int, off int64, n int) error {
	_, err := unix.Pread(fd, make([]byte, n), off)
	return err
}

// calls are system calls that need the server, and some that do not. The descriptors are
// opened at once.
func (s *stuckMount) calls() []call {
	place := int64(3+s.next%4) << 20 // nobody read there, and no records of it came with the header
	shared := s.open(stuckFile, 0)
	direct := s.open(stuckFile, unix.O_DIRECT)
	s.next += 4
	unknown := func(i int) string { return s.path(fmt.Sprintf("listed-%d/in.img", s.next-i)) }
	folder := func(i int) string { return s.path(fmt.Sprintf("folder-%d", s.next-i)) }
	list := []call{
		{"pread of 1 MiB", true, func() error { return pread(shared, place, 1<<20) }},
		{"pread by O_DIRECT", true, func() error { return pread(direct, place+64<<10, 4096) }},
		{"stat of what is known", false, func() error { return unix.Stat(s.path("known.img"), new(unix.Stat_t)) }},
		{"readdir of the root", false, func() error { _, err := os.ReadDir(s.path("")); return err }},
		{"readdir", true, func() error { _, err := os.ReadDir(folder(1)); return err }},
		{"statfs", false, func() error { return unix.Statfs(s.path(""), new(unix.Statfs_t)) }},
	}
	for i := range 4 {
		own := s.open(stuckFile, 0)
		list = append(list,
			call{"pread of a page that others want", true, func() error { return pread(shared, place+512<<10, 4096) }},
			call{"pread of that page, file opened again", true, func() error { return pread(own, place+512<<10, 4096) }},
			call{"pread elsewhere", true, func() error { return pread(own, place+600<<10+int64(i)<<16, 100) }},
			call{"stat of what nobody knows", true, func() error { return unix.Stat(unknown(1), new(unix.Stat_t)) }},
			call{"open", true, func() error {
				fd, err := unix.Open(unknown(2), unix.O_RDONLY, 0)
				if err == nil {
					unix.Close(fd)
				}
				return err
			}},
			call{"stat in a folder", true, func() error { return unix.Stat(folder(2)+"/in.img", new(unix.Stat_t)) }},
		)
	}
	return list
}

// inTime makes all calls at once and fails the test for those that take too long.
func (s *stuckMount) inTime(calls []call) {
	s.t.Helper()
	type result struct {
		call
		took time.Duration
		err  error
	}
	results := make(chan result, len(calls))
	for _, c := range calls {
		go func() {
			began := time.Now()
			err := c.run()
			results <- result{c, time.Since(began), err}
		}()
	}
	slowest := map[string]time.Duration{}
	deadline := time.After(patience)
	for range calls {
		select {
		case r := <-results:
			slowest[r.name] = max(slowest[r.name], r.took)
			if r.fails && !isErrno(r.err, unix.EIO) || !r.fails && r.err != nil {
				s.t.Errorf("%s: %v", r.name, r.err)
			}
		case <-deadline:
			s.t.Fatalf("system calls have not ended after %v; of those that did the slowest took %v", patience, slowest)
		}
	}
	s.t.Logf("the slowest took %v", slowest)
	for name, took := range slowest {
		if took > stuckDeadline+stuckSlack {
			s.t.Errorf("%s took %v with a read deadline of %v", name, took, stuckDeadline)
		}
	}
	for _, fd := range s.fds {
		unix.Close(fd)
	}
	s.fds = nil
}

// goOn reads what does not need the server, until stop is closed: a file that is here,
// and the other mount.
func (s *stuckMount) goOn(stop <-chan struct{}) error {
	want, err := os.ReadFile(filepath.Join(s.dir, localFile))
	if err != nil {
		return err
	}
	reads, slowest := 0, time.Duration(0)
	for i := int64(0); ; i++ {
		select {
		case <-stop:
			s.t.Logf("other readers read %d times, at most for %v", reads, slowest)
			if reads < 10 || slowest > stuckSlack {
				return fmt.Errorf("others read %d times only, and once for %v", reads, slowest)
			}
			return nil
		case <-time.After(20 * time.Millisecond):
		}
		off := i * 40_960 % (int64(len(want)) - 4096) &^ 4095
		for _, path := range []string{s.path(localFile), s.root + s.other.Path(localFile)} {
			read := readcheck.DirectAt
			if i%2 == 0 {
				read = cachedAt
			}
			began := time.Now()
			got, err := read(path, off, 4096)
			slowest = max(slowest, time.Since(began))
			if reads++; err != nil || !bytes.Equal(got, want[off:off+4096]) {
				return fmt.Errorf("another reader's read at %d of %s: %v", off, path, err)
			}
		}
	}
}

// cachedAt reads by way of the kernel's cache, of which it drops what was there.
func cachedAt(path string, off int64, n int) ([]byte, error) {
	if err := readcheck.DropPages(path); err != nil {
		return nil, err
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, n)
	n, err = unix.Pread(fd, b, off)
	return b[:max(n, 0)], err
}

// killed starts programs that need the server, kills them while they wait, and fails the
// test when they are not gone soon.
func (s *stuckMount) killed() {
	s.t.Helper()
	programs := [][]string{
		{"dd", "if=" + s.path(stuckFile), "of=/dev/null", "bs=4096", "count=1", fmt.Sprint("skip=", 1900+s.next)},
		{"dd", "if=" + s.path(stuckFile), "of=/dev/null", "iflag=direct", "bs=4096", "count=1", fmt.Sprint("skip=", 1960+s.next)},
		{"ls", s.path(fmt.Sprintf("folder-%d", s.next))},
		{"stat", s.path(fmt.Sprintf("listed-%d/in.img", s.next))},
	}
	for _, line := range programs {
		cmd := exec.Command(line[0], line[1:]...)
		must(s.t, cmd.Start())
		eventually(s.t, line[0]+" waits", func() error { return waitsForFUSE(cmd.Process.Pid) })
		began := time.Now()
		must(s.t, cmd.Process.Kill())
		_ = within(s.t, "a killed "+line[0], cmd.Wait)
		if took := time.Since(began); took > time.Second+endSlack {
			s.t.Errorf("%v was gone %v after it was killed", line, took)
		}
	}
}

// waitsForFUSE is nil when a process waits for an answer of a FUSE daemon, or ended.
func waitsForFUSE(pid int) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || strings.Contains(string(stat), ") Z ") {
		return err
	}
	w, err := waitsIn(pid)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(w, "request_wait_answer") && !strings.HasPrefix(w, "folio_wait") {
		return fmt.Errorf("it is in %q", w)
	}
	return nil
}

// waitsIn is the function of the kernel in which a process waits; "0" or "" when it runs.
func waitsIn(pid int) (string, error) {
	w, err := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
	return string(w), err
}

// right waits until the file can be read, and is right, and until what nobody knew can
// be looked at.
func (s *stuckMount) right() {
	s.t.Helper()
	began := time.Now()
	allRight(s.t, []readcheck.Pair{{Got: s.path(stuckFile), Want: filepath.Join(s.dir, stuckFile)}})
	eventually(s.t, "folders can be read", func() error {
		_, err := os.ReadDir(s.path(fmt.Sprintf("folder-%d", s.next-1)))
		return err
	})
	s.t.Logf("all was right again %v after the server was back", time.Since(began))
}

// look reads what makes files known and local.
func (s *stuckMount) look() {
	s.t.Helper()
	for _, m := range []*daemon.Mount{s.m, s.other} {
		must(s.t, readcheck.Whole(readcheck.Pair{Got: s.root + m.Path(localFile), Want: filepath.Join(s.dir, localFile)}))
	}
	must(s.t, unix.Stat(s.path("known.img"), new(unix.Stat_t)))
	must(s.t, unix.Stat(s.path(stuckFile), new(unix.Stat_t)))
	for i := range 20 {
		must(s.t, unix.Stat(s.path(fmt.Sprintf("folder-%d", i)), new(unix.Stat_t)))
		_, err := os.ReadDir(s.path(fmt.Sprintf("listed-%d", i)))
		must(s.t, err)
	}
}

// TestTortureStuck has servers get out of reach in every way while programs read, list
// and look at files: each system call ends in time, who does not need the server goes
// on, who is killed is gone, and when the server is back all is well. At the end they
// get out of reach once more, and the mount ends.
func TestTortureStuck(t *testing.T) {
	t.Parallel()
	needMount(t)
	for i, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for trial := range trials(1, len(endings)) {
				stuckTrial(t, o.set, endings[(i+trial)%len(endings)])
			}
			promised(t, "never stuck", o.name, trials(1, len(endings)))
		})
	}
}

func stuckTrial(t *testing.T, set func(*testing.T, string) *stage, e ending) {
	t.Helper()
	dir, err := stuckFolder()
	must(t, err)
	s := mountStage(t, set(t, dir), dir)
	pid := s.m.PIDs()
	s.look()
	s.cut()
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.goOn(stop) }()
	s.inTime(s.calls())
	s.killed()
	close(stop)
	if err := within(t, "another reader", func() error { return <-ended }); err != nil {
		t.Error(err)
	}
	s.mend()
	s.right()
	if now := s.m.PIDs(); fmt.Sprint(now) != fmt.Sprint(pid) {
		t.Errorf("the daemon changed from %v to %v", pid, now)
	}
	s.cut()
	s.end(e)
	s.mend()
}

// ending is a way to end a mount that hangs.
type ending struct {
	name string
	open bool // files stay open
	end  func(s *stuckMount) error
}

// endings are the ways to end a mount whose server is out of reach.
var endings = []ending{
	{"SIGTERM", true, func(s *stuckMount) error { return s.signal(syscall.SIGTERM) }},
	{"fusermount3 -uz", true, func(s *stuckMount) error { return s.unmount("-uz") }},
	{"SIGINT", true, func(s *stuckMount) error { return s.signal(syscall.SIGINT) }},
	{"fusermount3 -u", false, func(s *stuckMount) error { return s.unmount("-u") }},
}

func (s *stuckMount) signal(sig syscall.Signal) error {
	for _, pid := range s.m.PIDs() {
		if err := syscall.Kill(pid, sig); err != nil {
			return err
		}
	}
	return nil
}

// unmount unmounts both mounts, with open files only the one that hangs.
func (s *stuckMount) unmount(how string) error {
	for _, m := range []*daemon.Mount{s.m, s.other} {
		cmd := m.Program("fusermount3", how, m.Dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", cmd, err, out)
		}
	}
	return nil
}

// end ends the mounts in that way while programs wait for the server, and fails the test
// when the daemon does not end in 5 s. A lazy unmount leaves open files alone: there the
// time counts from when they are closed.
func (s *stuckMount) end(e ending) {
	s.t.Helper()
	var readers sync.WaitGroup
	if e.open {
		for i := range 6 {
			fd, err := unix.Open(s.path("known.img"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			must(s.t, err)
			readers.Go(func() {
				_ = pread(fd, int64(i)*20_000, 4096)
				unix.Close(fd)
			})
		}
		folder := s.path(fmt.Sprintf("folder-%d", s.next))
		readers.Go(func() { _, _ = os.ReadDir(folder) })
		time.Sleep(200 * time.Millisecond)
	}
	began := time.Now()
	must(s.t, within(s.t, e.name, func() error { return e.end(s) }))
	wait := func() error {
		// Longer than any of them may take, but not so long that within gives up.
		tell := time.AfterFunc(patience/2, func() { s.tellWhere() })
		defer tell.Stop()
		readers.Wait()
		return nil
	}
	if e.name == "fusermount3 -uz" {
		_ = within(s.t, "readers of a detached mount", wait)
		if took := time.Since(began); took > stuckDeadline+stuckSlack {
			s.t.Errorf("readers of a detached mount waited for %v", took)
		}
		began = time.Now()
	}
	eventually(s.t, "the daemon ends", func() error { return noProcess(s.m) })
	if took := time.Since(began); took > 5*time.Second+endSlack {
		s.t.Errorf("%s: the daemon ended after %v", e.name, took)
	}
	s.t.Logf("%s: ended after %v", e.name, time.Since(began))
	_ = within(s.t, "readers of a mount that ended", wait)
	for _, m := range []*daemon.Mount{s.m, s.other} {
		if daemon.Mounted(m.Dir) {
			s.t.Error("still mounted")
		}
	}
}

// tellWhere logs where the threads of the test and the daemon's goroutines are; the
// daemon ends by that.
func (s *stuckMount) tellWhere() {
	stacks, _ := filepath.Glob("/proc/self/task/*/stack")
	for _, path := range stacks {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "fuse") {
			s.t.Logf("%s\n%s", path, text)
		}
	}
	_ = s.signal(syscall.SIGQUIT)
	time.Sleep(2 * time.Second)
	s.t.Log(s.m.Log())
}
