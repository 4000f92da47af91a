package mounttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
)

// TestTorturePowerCuts has the store on an ext4 of its own, which goes off under a live
// mount with readers while blocks are fetched, shared, moved, evicted and made durable:
// what ext4 had not written by then is lost. The daemon that lost its disk reads no wrong
// byte, the next mount needs no help, and the store does not grow.
func TestTorturePowerCuts(t *testing.T) {
	t.Parallel()
	needMount(t)
	needRoot(t)
	needProgram(t, "mount", "umount", "mkfs.ext4")
	dir := crashFolder(t)
	s := serve(t, dir)
	count := trials(5, 200)
	var made atomic.Int64
	inLanes(t, trials(1, 3), func(t *testing.T, lane, lanes int) {
		d := newDisk(t)
		d.plugIn()
		l := newCrashLane(t, binary(t), s.URL("/"), dir, filepath.Join(d.dir, "cache"))
		for i := lane; i < count; i += lanes {
			how := cuts[i%len(cuts)]
			l.last = "a power cut with " + how.name
			l.loseDisk(d, how.flags)
			l.startsAgain()
			made.Add(1)
			if t.Failed() {
				t.Fatalf("after %s", l.last)
			}
		}
		l.end()
	})
	promised(t, "crash safe", "power cuts of ext4", int(made.Load()))
}

// cuts are the ways in which ext4 goes off (include/uapi/linux/ext4.h): after all was
// written, after its journal was, and at once.
var cuts = []struct {
	name  string
	flags uint32
}{{"NOLOGFLUSH", 2}, {"LOGFLUSH", 1}, {"DEFAULT", 0}}

// shutdownRequest is EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32).
const shutdownRequest = 0x8004587d

// loseDisk mounts, reads for a random time, cuts the power of the disk, goes on reading
// for a moment, ends the daemon and plugs the disk in again.
func (l *crashLane) loseDisk(d *disk, flags uint32) {
	t := l.t
	t.Helper()
	m := daemon.New(t, l.options())
	if r := m.Try(); r.Code != 0 {
		t.Fatalf("zsyncfs mount before %s: %v", l.last, r)
	}
	readers := l.readers(l.pairs)
	over := func(after time.Duration) func() bool {
		deadline := time.Now().Add(after)
		return func() bool { return time.Now().After(deadline) }
	}
	// A checkpoint comes every two seconds, at the latest.
	for done := over(time.Duration(l.rng.IntN(2500)) * time.Millisecond); !done(); {
		l.readAll(l.pairs, done)
	}
	d.cut(flags)
	for done := over(time.Duration(l.rng.IntN(300)) * time.Millisecond); !done(); {
		l.readAll(l.pairs, done)
	}
	killAll(t, m)
	end(t, readers, hang)
	d.unplug()
	d.plugIn()
}

// disk is an ext4 in a file, which the kernel treats as a disk.
type disk struct {
	t          *testing.T
	image, dir string
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip(err)
	}
	d := &disk{t: t, image: filepath.Join(folder(t), "disk"), dir: folder(t)}
	must(t, os.WriteFile(d.image, nil, 0o600))
	must(t, os.Truncate(d.image, 64<<20))
	d.run("mkfs.ext4", "-q", "-F", d.image)
	t.Cleanup(func() {
		if daemon.Mounted(d.dir) {
			_ = unix.Unmount(d.dir, unix.MNT_DETACH) // the loop device goes with it
		}
	})
	return d
}

func (d *disk) run(name string, args ...string) {
	d.t.Helper()
	if r := daemon.Command(d.t, exec.Command(name, args...)); r.Code != 0 {
		d.t.Fatalf("%s %q: %v", name, args, r)
	}
}

// plugIn mounts it; ext4 repairs itself from its journal.
func (d *disk) plugIn() {
	d.t.Helper()
	d.run("mount", "-t", "ext4", "-o", "loop", d.image, d.dir)
}

// unplug unmounts it, as soon as nobody has a file of it open. What is plugged in again is
// a copy: a mount namespace that somebody made meanwhile keeps the file system, which is
// off, and mount would find that one for the same image.
func (d *disk) unplug() {
	d.t.Helper()
	eventually(d.t, "nobody uses the disk", func() error { return unix.Unmount(d.dir, 0) })
	left := d.image
	d.image = filepath.Join(folder(d.t), "disk")
	d.run("cp", "--sparse=always", left, d.image)
	must(d.t, os.Remove(left))
}

// cut has the file system go off: nothing is written to the disk any more.
func (d *disk) cut(flags uint32) {
	d.t.Helper()
	f, err := os.Open(d.dir)
	must(d.t, err)
	defer f.Close()
	must(d.t, unix.IoctlSetPointerInt(int(f.Fd()), shutdownRequest, int(flags)))
}
