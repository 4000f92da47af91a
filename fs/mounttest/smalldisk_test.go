package mounttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// smallDisk is a folder on a tmpfs of its own, with these options, such as "size=16m".
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	needRoot(t)
	disk := folder(t)
	must(t, unix.Mount("tmpfs", disk, "tmpfs", 0, options))
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return disk
}

// givenBy is how much room of a disk is taken just now, in bytes.
func givenBy(disk string) (int64, error) {
	var f unix.Statfs_t
	err := unix.Statfs(disk, &f)
	return int64(f.Blocks-f.Bfree) * f.Bsize, err
}

// remount changes the options of a disk; flags such as MS_RDONLY are those that it has
// afterwards.
func remount(disk string, flags uintptr, options string) error {
	return unix.Mount("", disk, "", unix.MS_REMOUNT|flags, options)
}

// fill takes all room of the disk that path lies on, to the last byte.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if errors.Is(err, unix.ENOSPC) {
		return
	}
	must(t, err)
	defer f.Close()
	for _, n := range []int{1 << 20, 4096, 1} {
		p := []byte(strings.Repeat("x", n))
		for err = nil; err == nil; {
			_, err = f.Write(p)
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// fillNames takes all inodes of the disk that dir lies on.
func fillNames(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); errors.Is(err, unix.ENOSPC) {
		return
	} else if !errors.Is(err, os.ErrExist) {
		must(t, err)
	}
	for i := 0; ; i++ {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(i)), os.O_WRONLY|os.O_CREATE, 0o600)
		if errors.Is(err, unix.ENOSPC) {
			return
		}
		must(t, err)
		f.Close()
	}
}

// onDisk are the options of a mount whose store lies on a disk: without limits of its
// own, unless flags say some.
func onDisk(t *testing.T, source, disk string, flags ...string) daemon.Options {
	t.Helper()
	return daemon.Options{
		Binary: binary(t), Source: source, CacheDir: filepath.Join(disk, "cache"),
		Flags: append([]string{"--refresh=1h", "--cache-size=0", "--cache-min-free=0"}, flags...),
	}
}

// statusOf is what "zsyncfs status" prints.
func statusOf(t *testing.T, m *daemon.Mount) string {
	t.Helper()
	r := daemon.Command(t, m.Command("status", "--cache-dir", m.CacheDir))
	if r.Code != 0 || !strings.HasPrefix(r.Output, "daemon") {
		t.Fatalf("zsyncfs status: %v", r)
	}
	return r.Output
}

// awaitTrouble waits until the status says that nothing more is kept, why, and what to
// do about it.
func awaitTrouble(t *testing.T, m *daemon.Mount, why, hint string) {
	t.Helper()
	eventually(t, "the status tells of the trouble", func() error {
		text := statusOf(t, m)
		for _, want := range []string{"nothing more is kept", why, hint} {
			if !strings.Contains(text, want) {
				return fmt.Errorf("no %q in\n%s", want, text)
			}
		}
		return nil
	})
}

// noTrouble waits until the status says nothing of a trouble, and blocks of p, which is
// right, are kept.
func noTrouble(t *testing.T, m *daemon.Mount, p readcheck.Pair) {
	t.Helper()
	eventually(t, "blocks are kept again", func() error {
		_ = readcheck.DropPages(p.Got)
		if err := readcheck.Whole(p); err != nil {
			return err
		}
		if text := statusOf(t, m); strings.Contains(text, "nothing more is kept") {
			return fmt.Errorf("the status is\n%s", text)
		}
		if n, err := xattr(p.Got, "user.zsync.blocks-local"); n == "0" || err != nil {
			return fmt.Errorf("%s blocks are here; %v", n, err)
		}
		return nil
	})
}

// sameDaemon fails the test when pid is not the daemon of m any more.
func sameDaemon(t *testing.T, m *daemon.Mount, pid int) {
	t.Helper()
	if now := m.PIDs(); len(now) != 1 || now[0] != pid {
		t.Fatalf("the daemon was %d, now there are %v", pid, now)
	}
}

// fewWarnings fails the test when the log has more warnings and errors than a person
// would read.
func fewWarnings(t *testing.T, m *daemon.Mount, atMost int) {
	t.Helper()
	log := m.Log()
	n := strings.Count(log, "level=WARN") + strings.Count(log, "level=ERROR")
	if n > atMost {
		t.Errorf("%d warnings in the log, want at most %d", n, atMost)
	}
}

// noFailure stops an oracle of reads that were all to be answered.
func noFailure(t *testing.T, o *readcheck.Oracle) {
	t.Helper()
	if r := end(t, o, hang); r.Failed > 0 {
		t.Errorf("%d of %d reads failed: %v", r.Failed, r.Reads, r.Errors)
	}
}
