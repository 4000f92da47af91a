//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/hostile"
)

// inside is set in the process that runs in a network namespace of its own: to the
// program under test.
const inside = "ZSYNC_TEST_INSIDE"

const (
	maxMemory = 256 << 20        // bytes that the program may take
	maxTime   = 10 * time.Second // that a case may take
)

// TestHostile downloads every case of the hostile corpus. It runs itself again in a
// network namespace of its own, where it is alone with the addresses that the
// control files name.
func TestHostile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this test needs root")
	}
	for _, name := range []string{"unshare", "ip"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
	if program := os.Getenv(inside); program != "" {
		hostileInside(t, program)
		return
	}
	t.Parallel()
	// Not the race detector's program: it takes several times the memory.
	program := filepath.Join(folder(t), "zsync")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command("unshare", "-n", "--", self, "-test.run=^TestHostile$", "-test.v", "-test.timeout=4m")
	cmd.Env = append(os.Environ(), inside+"="+program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in the namespace: %v\n%s", err, out)
	} else if t.Logf("in the namespace:\n%s", out); bytes.Contains(out, []byte("--- SKIP")) {
		t.Skipf("in the namespace:\n%s", out)
	}
}

func hostileInside(t *testing.T, program string) {
	commands := [][]string{{"link", "set", "lo", "up"}}
	for _, a := range hostile.LoopbackAddresses {
		commands = append(commands, []string{"addr", "add", a, "dev", "lo"})
	}
	for _, args := range commands {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Skipf("ip %v: %v\n%s", args, err, out)
		}
	}
	cases, err := hostile.Load("../../fs/mounttest/testdata/hostile")
	must(t, err)
	s := hostile.NewServer(cases)
	must(t, s.Listen())
	t.Cleanup(s.Close)
	most := int64(0)
	for _, c := range cases {
		for _, seeded := range []bool{false, true} {
			memory, err := hostileCase(t, program, c, seeded)
			if err != nil {
				t.Errorf("%s (%c, %s; with a seed: %v): %v", c.Name, c.Expect, c.Why, seeded, err)
			}
			most = max(most, memory)
		}
	}
	t.Logf("%d cases, each without and with a seed: at most %d MiB of memory were taken", len(cases), most>>20)
	for _, call := range s.Calls() {
		t.Errorf("led to where it must not go: %s", call)
	}
	if n := s.Sent(hostile.LongLine); n > 16<<20 {
		t.Errorf("%d bytes of the 100 MB header line were fetched", n)
	}
	if _, err := os.Lstat("/tmp/t.escape"); err == nil {
		t.Error("a file was written outside of the folder")
	}
}

// hostileCase downloads one case; it returns the memory taken, in bytes.
func hostileCase(t *testing.T, program string, c hostile.Case, seeded bool) (int64, error) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "in")
	must(t, os.Mkdir(dir, 0o755))
	var args []string
	if seeded {
		write(t, filepath.Join(outer, "seed"), append(bytes.Clone(c.Target), "and more"...))
		args = append(args, "-i", "../seed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), maxTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(args, "http://"+hostile.Addr+"/h/"+c.Name+"/t.dat.zsync")...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, fmt.Errorf("it has not ended after %v: %s", maxTime, stderr.Bytes())
	case err != nil && !errors.As(err, &exit):
		return 0, err
	}
	memory := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	if memory > maxMemory {
		return memory, fmt.Errorf("it took %d MiB", memory>>20)
	}
	return memory, judge(t, c, cmd.ProcessState.ExitCode(), stderr.String(), outer)
}

// judge looks at how a case ended and what it left.
func judge(t *testing.T, c hostile.Case, code int, stderr, outer string) error {
	dir := filepath.Join(outer, "in")
	for _, name := range listed(t, outer) {
		if name != "in" && name != "seed" {
			return fmt.Errorf("%q was written outside of the folder", name)
		}
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	var made, parts []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".part") {
			parts = append(parts, e.Name())
		} else {
			made = append(made, e.Name())
		}
	}
	if code == 0 {
		switch {
		case c.Expect == hostile.Refuse:
			return fmt.Errorf("accepted, and made %q; %s", made, stderr)
		case len(made) != 1 || len(parts) != 0:
			return fmt.Errorf("made %q and left %q", made, parts)
		case !bytes.Equal(read(t, filepath.Join(dir, made[0])), c.Target):
			return fmt.Errorf("wrong bytes in %q", made[0])
		}
		return nil
	}
	switch {
	case c.Expect == hostile.Accept:
		return fmt.Errorf("refused: %s", stderr)
	case code < 1 || code > 3 || !strings.Contains(stderr, "zsync: error: "):
		return fmt.Errorf("exit code %d without a clear error: %s", code, stderr)
	case len(made) != 0:
		return fmt.Errorf("refused, and made %q", made)
	case strings.ContainsFunc(stderr, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }):
		return fmt.Errorf("control characters: %q", stderr)
	}
	return nil
}
