package mounttest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/faultydisk"
)

// TestTortureFullDiskFails has the store's disk fail at any time of reading, evicting and
// checkpoints, in one way after the other: what it does not give back is fetched, and
// no read fails.
func TestTortureFullDiskFails(t *testing.T) {
	t.Parallel()
	needMount(t)
	needRoot(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	disk := faultydisk.Start(t)
	m := daemon.Start(t, onDisk(t, s.URL("/"), disk.Dir, "--cache-size=7M"))
	pid, pairs, made := m.PID(), torturedPairs(m, dir), 0
	allRight(t, pairs)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 6))
	ways := []struct {
		faults    faultydisk.Faults
		why, hint string
	}{
		{faultydisk.Faults{Read: unix.EIO, Write: unix.EIO, Sync: unix.EIO}, "input/output error", "that disk fails"},
		{faultydisk.Faults{Write: unix.EROFS}, "read-only file system", "make that file system writable"},
		{faultydisk.Faults{Sync: unix.EIO}, "", ""},
		{faultydisk.Faults{Read: unix.EIO}, "", ""},
		{faultydisk.Faults{Write: unix.EIO}, "input/output error", "that disk fails"},
		{faultydisk.Faults{Sync: unix.ENOSPC}, "", ""},
		{faultydisk.Faults{Write: unix.EDQUOT, Sync: unix.EDQUOT}, "disk quota exceeded", "make room"},
	}
	for i := range trials(2, 140) {
		way := ways[i%len(ways)]
		o := oracle(t, pairs, rng.Uint64())
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		disk.Set(way.faults)
		if way.why != "" {
			awaitTrouble(t, m, way.why, way.hint)
		}
		allRight(t, pairs)
		noFailure(t, o)
		sameDaemon(t, m, pid)
		disk.Set(faultydisk.Faults{})
		noTrouble(t, m, pairs[rng.IntN(len(pairs))])
		if made++; t.Failed() {
			t.Fatalf("after %+v", way.faults)
		}
	}
	allRight(t, pairs)
	fewWarnings(t, m, 2*made+10)
	promised(t, keepsReading, "its disk fails (EIO, EROFS, EDQUOT) and works again", made)
	m.Unmount()
	m = again(t, m, s.URL("/"), quiet...)
	allRight(t, torturedPairs(m, dir))
	m.Unmount()
}

// TestTortureFullDiskShutDown has the file system of the store end for good, as the
// kernel does it after an error of its disk; the passthrough of complete files ends with it.
// Who opens a file then gets right bytes. The next start has another file system.
func TestTortureFullDiskShutDown(t *testing.T) {
	t.Parallel()
	needMount(t)
	needRoot(t)
	needProgram(t, "mkfs.ext4", "losetup", "mount")
	dir := tortureFolder(t)
	s := serve(t, dir)
	made := 0
	for i := range trials(2, 60) {
		disk, image := folder(t), filepath.Join(folder(t), "image")
		must(t, os.WriteFile(image, nil, 0o600))
		must(t, os.Truncate(image, 64<<20))
		run(t, "mkfs.ext4", "-q", image)
		mountImage := func() { run(t, "mount", "-o", "loop", image, disk) }
		mountImage()
		t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
		options := onDisk(t, s.URL("/"), disk, []string{"--passthrough=auto", "--passthrough=off"}[i%2])
		m := daemon.Start(t, options)
		pid, pairs := m.PID(), torturedPairs(m, dir)
		allRight(t, pairs)
		o := oracle(t, pairs, uint64(i))
		time.Sleep(time.Second / 2)
		shutDown(t, disk)
		awaitTrouble(t, m, "input/output error", "that disk fails")
		allRight(t, pairs)
		if r := end(t, o, hang); i%2 == 1 && r.Failed > 0 {
			t.Errorf("%d of %d reads failed: %v", r.Failed, r.Reads, r.Errors)
		}
		sameDaemon(t, m, pid)
		m.Unmount()
		run(t, "umount", disk)
		mountImage()
		options.Dir = m.Dir
		m = daemon.Start(t, options)
		allRight(t, torturedPairs(m, dir))
		fewWarnings(t, m, 20)
		m.Unmount()
		run(t, "umount", disk)
		made++
	}
	promised(t, keepsReading, "its file system is shut down", made)
}

// run runs a program that must end well.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// shutDown ends the ext4 on dir at once, with nothing written any more.
func shutDown(t *testing.T, dir string) {
	t.Helper()
	const (
		ext4Shutdown  = 0x8004587d // EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32)
		withoutLogged = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
	)
	f, err := os.Open(dir)
	must(t, err)
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), ext4Shutdown, withoutLogged); err != nil {
		t.Skip(fmt.Errorf("this kernel does not shut down ext4: %w", err))
	}
}
