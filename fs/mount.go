package fs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const (
	// fsName is the type that the kernel shows, after "fuse.".
	fsName = "zsyncfs"
	// maxRequest is the longest read that the kernel may send, in bytes.
	maxRequest = 1 << 20
	// maxBackground is how many requests it may send at once that readahead makes, which
	// all reads are that go through the page cache. More wait in the kernel, behind
	// readers whose server is out of reach, whether they need a server or not, and for
	// longer than the read deadline. So this is more than any machine has readers; each
	// takes memory only while it is there. For mounts of ordinary users the kernel has a
	// limit of its own (fuse.max_user_bgreq: some 300 for each GB of memory).
	maxBackground = 4096
)

// ErrMount says that the kernel, or fusermount3 on its behalf, refused a mount.
var ErrMount = errors.New("FUSE refuses the mount")

// Mount is an FS that is mounted.
type Mount struct {
	dir    string
	server *fuse.Server
	device string        // as mountinfo(5) has it; "" where that cannot be told
	ended  chan struct{} // closed when the kernel let go of the mount
}

// Mount mounts f on dir and returns when it can be used. Root mounts directly;
// others, and root without the capability, go through fusermount3. When it
// fails nothing is left on dir. An FS is mounted only once. Errors: ErrMount.
func (f *FS) Mount(dir string) (*Mount, error) {
	server, err := f.connect(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMount, err)
	}
	m := &Mount{dir: dir, server: server, device: deviceOn(dir), ended: make(chan struct{})}
	f.attach()
	go server.Serve()
	go func() {
		defer close(m.ended)
		server.Wait()
		f.detach()
	}()
	if err := server.WaitMount(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrMount, err), m.Unmount())
	}
	return m, nil
}

// connect mounts f on dir, with a server that serves nothing yet.
func (f *FS) connect(dir string) (*fuse.Server, error) {
	if os.Geteuid() == 0 {
		server, err := f.connectDirect(dir)
		if err == nil || !errors.Is(err, syscall.EPERM) {
			return server, err
		}
	}
	return f.connectByHelper(dir)
}

// connectDirect mounts by mount(2) itself, and gives go-fuse a device that is open:
// after a mount of its own go-fuse opens a file in it. A process that is killed while
// it waits for its own answer stays for ever, and keeps the store and the mount.
func (f *FS) connectDirect(dir string) (*fuse.Server, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/fuse: %w", err)
	}
	source := strings.ReplaceAll(f.options.Name, ",", "%2C")
	options := append(f.kernelOptions(), fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d",
		fd, unix.S_IFDIR, os.Geteuid(), os.Getegid()))
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_RDONLY)
	if f.options.NoExec {
		flags |= unix.MS_NOEXEC
	}
	if err := unix.Mount(source, cmp.Or(f.options.At, dir), FSType, flags, strings.Join(options, ",")); err != nil {
		return nil, errors.Join(fmt.Errorf("mount: %w", err), unix.Close(fd))
	}
	return f.serverOf(fd, dir)
}

func (f *FS) connectByHelper(dir string) (*fuse.Server, error) {
	options := append(f.kernelOptions(), "ro", "nosuid", "nodev", "subtype="+fsName, "fsname="+escapeOption(f.options.Name))
	if f.options.NoExec {
		options = append(options, "noexec")
	}
	fd, err := fuseDevice(dir, options)
	if err != nil {
		return nil, err
	}
	return f.serverOf(fd, dir)
}

// serverOf connects the root inode with a new server on the device fd, which is
// mounted on dir.
func (f *FS) serverOf(fd int, dir string) (*fuse.Server, error) {
	at := fmt.Sprintf("/dev/fd/%d", fd) // go-fuse's name for a device that is open
	o := f.serverOptions()
	server, err := fuse.NewServer(fusefs.NewNodeFS(f.root, o), at, &o.MountOptions)
	if err != nil {
		err = errors.Join(err, Detach(dir))
	}
	return server, err
}

// kernelOptions are the options of both ways to mount.
func (f *FS) kernelOptions() []string {
	o := []string{fmt.Sprintf("max_read=%d", maxRequest)}
	if f.options.AllowOther {
		o = append(o, "allow_other", "default_permissions")
	}
	return o
}

// serverOptions are those of go-fuse, which does not mount.
func (f *FS) serverOptions() *fusefs.Options {
	negative := min(time.Second, f.refresh())
	return &fusefs.Options{
		NegativeTimeout: &negative,
		MountOptions: fuse.MountOptions{
			MaxBackground:      maxBackground,
			MaxWrite:           maxRequest,
			DisableSplice:      true,
			DisableReadDirPlus: true,
			MaxStackDepth:      max(f.options.StackDepth, 1),
			Debug:              f.options.Debug,
		},
	}
}

// Dir is the mount point.
func (m *Mount) Dir() string { return m.dir }

// Ended is closed when the mount is gone, whoever unmounted it.
func (m *Mount) Ended() <-chan struct{} { return m.ended }

// Unmount unmounts, and detaches the mount when files of it are still open:
// programs that have them then go on until the daemon ends. It returns when the
// mount is not on its mount point any more. What others have mounted there stays; a
// mount under theirs cannot be reached, and stays as well: that is an error.
func (m *Mount) Unmount() error {
	const tries = 5
	for try := 0; ; try++ {
		at := m.place()
		switch {
		case at == off: // somebody else was faster; dir may be another's by now
			return nil
		case at == covered:
			return fmt.Errorf("it lies under another mount; unmount that one, then: fusermount3 -u %s", m.dir)
		case try == tries:
			return Detach(m.dir)
		case Unmount(m.dir) == nil:
			<-m.ended
			return nil
		}
		// The kernel may need a moment for files that were just closed.
		time.Sleep(time.Duration(try) * 10 * time.Millisecond)
	}
}

// Detached says that the mount is not on its mount point any more, whatever else is:
// files are open after a lazy unmount, or another mount namespace has a copy.
func (m *Mount) Detached() bool { return m.place() == off }

// place is where a mount is.
type place int

const (
	onTop   place = iota // on its mount point, where its path leads
	covered              // on its mount point, under another mount
	off                  // not there any more
)

// place looks where the mount is: onTop where that cannot be told.
func (m *Mount) place() place {
	select {
	case <-m.ended:
		return off
	default:
	}
	on, err := mountsOn(m.dir)
	if err != nil || m.device == "" {
		return onTop
	}
	return placeOf(m.device, on)
}

// placeOf is the place of the mount with that device, on whose mount point are on.
func placeOf(device string, on []mountEntry) place {
	ours := func(e mountEntry) bool { return e.device == device }
	switch {
	case !slices.ContainsFunc(on, ours):
		return off
	case len(slices.DeleteFunc(topmost(on), ours)) > 0:
		return covered
	}
	return onTop
}

// deviceOn is the device of the mount of ours that was just made on dir; "" where that
// cannot be told.
func deviceOn(dir string) string {
	on, err := mountsOn(dir)
	if err != nil {
		return ""
	}
	return deviceOf(on)
}

// deviceOf is the device of the mount of ours on top of on, which is there twice where its
// folder is bound onto itself and shared; "" for none.
func deviceOf(on []mountEntry) string {
	tops := topmost(on)
	if len(tops) == 0 {
		return ""
	}
	first := tops[0]
	if slices.ContainsFunc(tops, func(e mountEntry) bool { return e.kind != FSType || e.device != first.device }) {
		return ""
	}
	return first.device
}

// Unmount takes the mount off dir; it fails when files of it are open.
func Unmount(dir string) error {
	if os.Geteuid() == 0 {
		return unix.Unmount(dir, 0)
	}
	return fusermount("-u", dir)
}

// Detach takes the mount off dir lazily, whether its server lives or not.
func Detach(dir string) error {
	if os.Geteuid() == 0 {
		return unix.Unmount(dir, unix.MNT_DETACH)
	}
	return fusermount("-u", "-z", dir)
}
