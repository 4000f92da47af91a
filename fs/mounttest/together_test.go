package mounttest

import (
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

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// optionsOf are the options of mount i of many: no two are the same.
func optionsOf(i int) (maker string, umask, uid uint32, flags []string) {
	maker, umask, uid = makers[i%2], []uint32{0, 0o004, 0o044}[i%3], uint32(1000+i)
	return maker, umask, uid, []string{"--umask", fmt.Sprintf("%o", umask), "--uid", fmt.Sprint(uid)}
}

// checkOptions is nil when mount i has its own options, and shows its own source.
func checkOptions(m *daemon.Mount, dir string, i int) error {
	maker, umask, uid, _ := optionsOf(i)
	info, err := os.Stat(m.Path(textFile))
	if err != nil {
		return err
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o444&^umask); got != want {
		return fmt.Errorf("mode %v, want %v", got, want)
	}
	if got := info.Sys().(*syscall.Stat_t).Uid; got != uid {
		return fmt.Errorf("user %d, want %d", got, uid)
	}
	source, err := xattr(m.Path(textFile), "user.zsync.control-url")
	if err != nil || !strings.HasSuffix(source, "/"+maker+"/"+textFile+".zsync") {
		return fmt.Errorf("source %q, want %s: %w", source, maker, err)
	}
	return readcheck.Whole(readcheck.Pair{Got: m.Path(textFile), Want: filepath.Join(dir, maker, textFile)})
}

// tryAll starts all mounts at once.
func tryAll(t *testing.T, all []*daemon.Mount) {
	t.Helper()
	var work sync.WaitGroup
	for i, m := range all {
		work.Go(func() {
			if r := m.Try(); r.Code != 0 {
				t.Errorf("mount %d: %v", i, r)
			}
		})
	}
	work.Wait()
}

// processes are those of all mounts.
func processes(all []*daemon.Mount) (pids []int) {
	for _, m := range all {
		pids = append(pids, m.PIDs()...)
	}
	return pids
}

// nothingLeft is nil when no process, mount or socket of the mounts is there.
func nothingLeft(all []*daemon.Mount) error {
	var errs []error
	if pids := processes(all); len(pids) != 0 {
		errs = append(errs, fmt.Errorf("processes %v", pids))
	}
	for _, m := range all {
		if daemon.Mounted(m.Dir) {
			errs = append(errs, fmt.Errorf("%s is mounted", m.Dir))
		}
	}
	if _, err := os.Lstat(filepath.Join(all[0].CacheDir, "socket")); !os.IsNotExist(err) {
		errs = append(errs, fmt.Errorf("the socket: %v", err))
	}
	return errors.Join(errs...)
}

// TestManyMountsAtOnce: 50 commands with one store at the same moment end up with
// one daemon, whose mounts have each their own options.
func TestManyMountsAtOnce(t *testing.T) {
	t.Parallel()
	needMount(t)
	const count = 50
	dir, _ := archive(t)
	s := serve(t, dir)
	store := filepath.Join(folder(t), "cache")
	var all []*daemon.Mount
	var dirs []string
	for i := range count {
		maker, _, _, flags := optionsOf(i)
		all = append(all, daemon.New(t, daemon.Options{
			Binary: binary(t), Source: s.URL("/" + maker + "/"), CacheDir: store, Flags: flags,
		}))
		dirs = append(dirs, all[i].Dir)
	}
	tryAll(t, all)
	if t.Failed() {
		return
	}
	eventually(t, "one daemon is left", func() error {
		if pids := processes(all); len(pids) != 1 {
			return fmt.Errorf("processes %v", pids)
		}
		return nil
	})
	for i, m := range all {
		if err := checkOptions(m, dir, i); err != nil {
			t.Errorf("mount %d: %v", i, err)
		}
	}
	if r := daemon.Command(t, all[0].Command(append([]string{"umount"}, dirs...)...)); r.Code != 0 {
		t.Errorf("umount: %v", r)
	}
	eventually(t, "nothing is left", func() error { return nothingLeft(all) })
}

// unmountNow takes a mount away without the program, and does not wait.
func unmountNow(t *testing.T, m *daemon.Mount) {
	t.Helper()
	if r := daemon.WhileBusy(t, func() *exec.Cmd { return m.Program("fusermount3", "-u", m.Dir) }); r.Code != 0 {
		t.Fatalf("fusermount3 -u: %v", r)
	}
}

// TestUmountAndMountAgain: the last mount goes and a new one comes at the same
// time, on the same or on another mount point.
func TestUmountAndMountAgain(t *testing.T) {
	t.Parallel()
	needMount(t)
	const rounds = 20
	dir, _ := archive(t)
	s := serve(t, dir)
	now := mount(t, s.URL("/made/"))
	all := []*daemon.Mount{now}
	for round := range rounds {
		o := daemon.Options{Binary: binary(t), Source: s.URL("/made/"), CacheDir: now.CacheDir, Dir: now.Dir}
		if round%2 == 0 {
			o.Dir = ""
		}
		next := daemon.New(t, o)
		all = append(all, next)
		mounted := make(chan daemon.Result, 1)
		if o.Dir == "" { // on another mount point it can come before the other has gone
			go func() { mounted <- next.Try() }()
			time.Sleep(time.Duration(round*20) * time.Millisecond)
			unmountNow(t, now)
		} else {
			unmountNow(t, now)
			mounted <- next.Try()
		}
		if r := <-mounted; r.Code != 0 {
			t.Fatalf("round %d: %v", round, r)
		}
		pair := readcheck.Pair{Got: next.Path(textFile), Want: filepath.Join(dir, "made", textFile)}
		if err := readcheck.Whole(pair); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		now = next
	}
	unmountNow(t, now)
	eventually(t, "nothing is left", func() error { return nothingLeft(all) })
}

// TestForegroundAfterUmount: mount -f takes over from a daemon whose last mount has
// just gone, and a daemon in the background takes over from it.
func TestForegroundAfterUmount(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/made/"))
	want := filepath.Join(dir, "made", textFile)
	for round := range 5 {
		if _, err := os.ReadFile(m.Path(textFile)); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		unmountNow(t, m)
		out := newOutput()
		cmd := m.Command(m.Args("-f")...)
		cmd.Stdout, cmd.Stderr = out, out
		must(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		eventually(t, "mounted in the foreground", func() error {
			select {
			case err := <-ended:
				t.Fatalf("round %d: mount -f ended: %v: %s", round, err, out)
			default:
			}
			return readcheck.Whole(readcheck.Pair{Got: m.Path(textFile), Want: want})
		})
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		// While the one in the foreground is ending.
		eventually(t, "unmounted", func() error {
			if daemon.Mounted(m.Dir) {
				return errors.New("still mounted")
			}
			return nil
		})
		m = again(t, m, s.URL("/made/"))
		if err := within(t, "mount -f", func() error { return <-ended }); err != nil {
			t.Errorf("round %d: mount -f ended with %v: %s", round, err, out)
		}
	}
	// With a daemon that stays, mount -f says so at once.
	o := daemon.Options{Binary: binary(t), Source: s.URL("/made/"), CacheDir: m.CacheDir}
	other := daemon.New(t, o)
	if r := daemon.Command(t, other.Command(other.Args("-f")...)); r.Code != 6 || !strings.Contains(r.Errors, "serves this cache directory") {
		t.Errorf("mount -f beside a daemon: %v", r)
	}
	m.Unmount()
}
