package outage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Namespace is a network and a view of the file system. Safe for concurrent use.
type Namespace struct {
	t      testing.TB
	holder *exec.Cmd
}

// letGo takes the mounts of other tests out of a new view of the file system: one that is
// unmounted elsewhere would not end before the namespace does.
const letGo = `
others=$(while read -r _ dir kind _; do case $kind in fuse.zsyncfs*) echo "$dir" ;; esac; done </proc/self/mounts)
for dir in $others; do umount -i -c -l "$dir" || :; done
`

// New is a namespace until the end of the test, with a loopback interface. The test is
// skipped where none can be made. A nameserver other than "" is the only one that
// programs in it know.
func New(t testing.TB, nameserver string) *Namespace {
	t.Helper()
	for _, name := range []string{"unshare", "nsenter", "ip", "mount"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed (packages iproute2, util-linux)", name)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver "+nameserver+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	script := "set -e; ip link set lo up; "
	args := []string{"--net"}
	if nameserver != "" {
		args = append(args, "--mount", "--propagation", "private")
		script += letGo + "mount --bind " + resolv + " /etc/resolv.conf; "
	}
	n := &Namespace{t: t, holder: exec.Command("unshare", append(args, "sh", "-c", script+"echo ready; exec cat")...)}
	n.holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said strings.Builder
	n.holder.Stderr = &said
	input, err := n.holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := n.holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel's parent of a process is a thread, which must not end before it.
	started := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := n.holder.Start()
		started <- err
		if err == nil {
			_ = n.holder.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		<-ended
	})
	ready := make([]byte, 6)
	if _, err := output.Read(ready); err != nil {
		input.Close()
		<-ended
		t.Skipf("no network namespace can be made here: %s", said.String())
	}
	return n
}

// Wrap begins the command line of a program that is to run in n.
func (n *Namespace) Wrap() []string {
	return []string{"nsenter", "--target", strconv.Itoa(n.holder.Process.Pid), "--net", "--mount"}
}

// Root is where the file system as programs in n see it can be reached from outside.
func (n *Namespace) Root() string { return fmt.Sprintf("/proc/%d/root", n.holder.Process.Pid) }

// Run runs a program in n and fails the test when that fails.
func (n *Namespace) Run(name string, args ...string) {
	n.t.Helper()
	line := append(append(n.Wrap(), name), args...)
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v: %s", strings.Join(line, " "), err, out)
	}
}

// Join lays a cable from n to another namespace: n is 10.77.0.1, the other 10.77.0.2.
// The test is skipped where there are none.
func (n *Namespace) Join(other *Namespace) {
	n.t.Helper()
	const cable = "link add cable type veth peer name cable netns "
	line := append(n.Wrap(), "ip")
	line = append(line, strings.Fields(cable+strconv.Itoa(other.holder.Process.Pid))...)
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		n.t.Skipf("no pair of network interfaces can be made here: %v: %s", err, out)
	}
	n.Run("ip", "address", "add", "10.77.0.1/24", "dev", "cable")
	other.Run("ip", "address", "add", "10.77.0.2/24", "dev", "cable")
	n.Run("ip", "link", "set", "cable", "up")
	other.Run("ip", "link", "set", "cable", "up")
}

// nobody is a hardware address that no interface has.
const nobody = "02:00:00:00:77:77"

// Hole has all that n sends to an address over the cable vanish without a word.
func (n *Namespace) Hole(address string) {
	n.t.Helper()
	n.Run("ip", "neighbour", "replace", address, "lladdr", nobody, "nud", "permanent", "dev", "cable")
}

// Fill ends a Hole.
func (n *Namespace) Fill(address string) {
	n.t.Helper()
	n.Run("ip", "neighbour", "delete", address, "dev", "cable")
}

// do runs f on a thread that is in n's network. A nil n is the test's own.
func (n *Namespace) do(f func() error) error {
	if n == nil {
		return f()
	}
	// The thread goes back afterwards. It must not end: processes that it started for
	// others may end with it.
	runtime.LockOSThread()
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer unix.Close(own)
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", n.holder.Process.Pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		err = unix.Setns(fd, unix.CLONE_NEWNET)
	}
	if err == nil {
		err = f()
	}
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // nobody else may have the thread
	}
	runtime.UnlockOSThread()
	return err
}

// Listen listens at an address of n's network until the end of the test.
func (n *Namespace) Listen(address string) net.Listener {
	n.t.Helper()
	var l net.Listener
	err := n.do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { l.Close() })
	return l
}

// dial connects to an address in n's network.
func (n *Namespace) dial(address string, atMost time.Duration) (c net.Conn, err error) {
	// Not by net.Dialer, which may go on in a goroutine of another thread.
	err = n.do(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), atMost)
		defer cancel()
		c, err = new(net.Dialer).DialContext(ctx, "tcp4", address)
		return err
	})
	return c, err
}
