package mounttest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/hostile"
)

// inside is set in the process that runs in a network namespace of its own: to its mount point.
const inside = "ZSYNCFS_MOUNTTEST_INSIDE"

// maxMemory is the most memory that the daemon may ever take, in bytes.
const maxMemory = 256 << 20

// TestHostile reads every case of the hostile corpus through one mount. It runs
// itself again in a network namespace of its own, where server, daemon and
// readers are alone with the addresses that the control files name.
func TestHostile(t *testing.T) {
	needRoot(t)
	needMount(t)
	needProgram(t, "unshare", "ip")
	if os.Getenv(inside) != "" {
		hostileInside(t)
		return
	}
	t.Parallel()
	// Not the race detector's program: it takes several times the memory.
	program, err := daemon.Build(folder(t), false)
	must(t, err)
	self, err := os.Executable()
	must(t, err)
	// Prepared like a mount: should the child hang, its daemon and mount are ended all the same.
	m := daemon.New(t, daemon.Options{Binary: program})
	cmd := m.Program("unshare", "-n", "--", self, "-test.run=^TestHostile$", "-test.v", "-test.timeout=4m")
	cmd.Env = append(cmd.Env, inside+"="+m.Dir, daemon.BinaryVariable+"="+program)
	cmd.WaitDelay = 5 * time.Second
	out := newOutput()
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	tooLong := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
	defer tooLong.Stop()
	err = cmd.Wait()
	if err != nil {
		t.Errorf("in the namespace: %v\n%s", err, out)
	} else if strings.Contains(out.String(), "--- SKIP") {
		t.Skipf("in the namespace:\n%s", out)
	}
}

func hostileInside(t *testing.T) {
	commands := [][]string{{"link", "set", "lo", "up"}}
	for _, a := range hostile.LoopbackAddresses {
		commands = append(commands, []string{"addr", "add", a, "dev", "lo"})
	}
	for _, args := range commands {
		if r := daemon.Command(t, exec.Command("ip", args...)); r.Code != 0 {
			t.Skipf("ip %v: %v", args, r)
		}
	}
	cases, err := hostile.Load("testdata/hostile")
	must(t, err)
	s := hostile.NewServer(cases)
	must(t, s.Listen())
	t.Cleanup(s.Close)
	m := daemon.Start(t, daemon.Options{
		Binary: binary(t), Source: "http://" + hostile.Addr + "/h/", Dir: os.Getenv(inside),
		Flags: []string{"--read-deadline", "3s"},
	})
	pid := m.PID()

	limit := make(chan struct{}, 8)
	var all sync.WaitGroup
	for _, c := range cases {
		all.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			if err := readCase(m, c); err != nil {
				t.Errorf("%s (%c, %s): %v", c.Name, c.Expect, c.Why, err)
			}
		})
	}
	all.Wait()

	if got := m.PID(); got != pid {
		t.Errorf("the daemon changed from %d to %d", pid, got)
	}
	if n, err := daemon.PeakMemory(pid); err != nil || n > maxMemory {
		t.Errorf("the daemon took %d MiB at its peak, want at most %d; %v", n>>20, maxMemory>>20, err)
	} else {
		t.Logf("the daemon took %d MiB at its peak", n>>20)
	}
	for _, call := range s.Calls() {
		t.Errorf("led to where it must not go: %s", call)
	}
	if n := s.Sent(hostile.LongLine); n > 16<<20 {
		t.Errorf("%d bytes of the 100 MB header line were fetched", n)
	}
	if _, err := os.Lstat("/tmp/t.escape"); err == nil {
		t.Error("a file was written outside of the store")
	}
	faultsAreNamed(t, m, cases)
	m.Unmount()
}

// hang is how long a read may take before it counts as a hang: the read
// deadline is far below.
const hang = 20 * time.Second

// readCase reads a case's file as its expectation says. A case to be refused
// whose blocks are all right is only known by the digest of the whole file; so
// right bytes may be read before, but soon an error must come.
func readCase(m *daemon.Mount, c hostile.Case) error {
	path := filepath.Join(m.Dir, c.Name, "t.dat")
	for deadline := time.Now().Add(patience / 2); ; time.Sleep(100 * time.Millisecond) {
		start := time.Now()
		got, err := os.ReadFile(path)
		if took := time.Since(start); took > hang {
			return fmt.Errorf("reading took %v", took)
		}
		if !bytes.HasPrefix(c.Target, got) {
			return fmt.Errorf("wrong bytes (%d of them; then %v)", len(got), err)
		}
		if err == nil && len(got) != len(c.Target) {
			return fmt.Errorf("%d bytes and no error, want %d", len(got), len(c.Target))
		}
		switch {
		case c.Expect == hostile.Accept && err != nil:
			return err
		case c.Expect != hostile.Refuse || err != nil:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("it reads well to the end, want an error")
		}
	}
}

// faultsAreNamed wants a line in the daemon's log about each case that is to be refused.
func faultsAreNamed(t *testing.T, m *daemon.Mount, cases []hostile.Case) {
	t.Helper()
	log := m.Log()
	for _, c := range cases {
		if c.Expect == hostile.Refuse && !strings.Contains(log, c.Name+"/") {
			t.Errorf("%s was refused, but the log does not say so", c.Name)
		}
	}
}
