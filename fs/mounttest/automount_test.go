package mounttest

import (
	encoding "encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"golang.org/x/sys/unix"
)

// Of the kernel's linux/auto_fs.h.
const (
	autofsReady  = 0x9360 // AUTOFS_IOC_READY
	autofsFail   = 0x9361 // AUTOFS_IOC_FAIL
	autofsPacket = 304    // bytes of an autofs_v5_packet
)

// automount is an automount on a folder, as systemd makes it: who looks there waits
// until do has mounted something. Processes of the test's own group do not.
type automount struct {
	dir      string
	asked    *os.File // the kernel's end is for writing
	root     int
	attended chan struct{}
}

func newAutomount(t *testing.T, dir string, do func() bool) {
	t.Helper()
	asked, kernels, err := os.Pipe()
	must(t, err)
	a := &automount{dir: dir, asked: asked, attended: make(chan struct{})}
	options := fmt.Sprintf("fd=%d,pgrp=%d,minproto=5,maxproto=5,direct", kernels.Fd(), syscall.Getpgrp())
	err = unix.Mount("test", a.dir, "autofs", 0, options)
	kernels.Close()
	if err != nil {
		asked.Close()
		t.Skipf("no automounts here: %v", err)
	}
	t.Cleanup(func() {
		for unix.Unmount(a.dir, unix.MNT_DETACH) == nil { // what was mounted on it, too
		}
		must(t, unix.Close(a.root))
		<-a.attended
		asked.Close()
	})
	a.root, err = unix.Open(a.dir, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	must(t, err)
	go a.attend(do)
}

// automountPatience is how long a mount may take before who waits for it is told that
// it failed.
const automountPatience = 20 * time.Second

// attend mounts whenever somebody looks.
func (a *automount) attend(do func() bool) {
	defer close(a.attended)
	packet := make([]byte, autofsPacket)
	for {
		if n, err := a.asked.Read(packet); err != nil || n < 12 {
			return
		}
		answer, done := uint(autofsFail), make(chan bool, 1)
		go func() { done <- do() }()
		select {
		case ok := <-done:
			if ok {
				answer = autofsReady
			}
		case <-time.After(automountPatience):
		}
		_ = unix.IoctlSetInt(a.root, answer, int(encoding.NativeEndian.Uint32(packet[8:])))
	}
}

// TestAutomount: an automount can be mounted while somebody waits for it, by a daemon
// that is started for that, and by one that runs.
func TestAutomount(t *testing.T) {
	t.Parallel()
	needMount(t)
	if os.Getuid() != 0 {
		t.Skip("automounts are for root")
	}
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(10_000, 1))
	url := serve(t, dir).URL("/")
	cache := daemon.New(t, daemon.Options{Binary: binary(t), Source: url}).CacheDir
	for _, name := range []string{"new daemon", "running daemon"} {
		m := daemon.New(t, daemon.Options{Binary: binary(t), Source: url, Dir: t.TempDir(), CacheDir: cache})
		tried := make(chan daemon.Result, 1)
		newAutomount(t, m.Dir, func() bool {
			r := m.Try()
			tried <- r
			return r.Code == 0
		})
		look := exec.CommandContext(t.Context(), "timeout", "30", "ls", m.Dir)
		look.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		began := time.Now()
		if out, err := look.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "t.img" {
			t.Errorf("%s: after %v: %v: %s", name, time.Since(began), err, out)
		}
		if r := <-tried; r.Code != 0 {
			t.Errorf("%s: %v", name, r)
		}
	}
}
