package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BinaryVariable names a ready program in the environment; then none is built.
const BinaryVariable = "ZSYNCFS_BINARY"

// BuildWith compiles cmd/zsyncfs into dir with a build tag, without the race detector,
// and returns the program's path.
func BuildWith(dir, tag string) (string, error) {
	path := filepath.Join(dir, "zsyncfs-"+tag)
	return path, build(path, "zsyncfs", []string{"build", "-tags", tag})
}

// Build compiles cmd/zsyncfs into dir and returns the program's path.
func Build(dir string, race bool) (string, error) {
	path, args := filepath.Join(dir, "zsyncfs"), []string{"build"}
	if ready := os.Getenv(BinaryVariable); ready != "" {
		// A copy, because other users must be able to run it.
		data, err := os.ReadFile(ready)
		if err != nil {
			return "", err
		}
		return path, os.WriteFile(path, data, 0o755)
	}
	if race {
		path += "-race"
		args = append(args, "-race")
	}
	return path, build(path, "zsyncfs", args)
}

// BuildOther compiles another program of cmd into dir, without the race detector,
// and returns its path.
func BuildOther(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	return path, build(path, name, []string{"build"})
}

func build(path, name string, args []string) error {
	args = append(args, "-o", path, "github.com/zsyncfs/zsyncfs/cmd/"+name)
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// patience is how long a command or the end of a daemon may take before the
// test gives up. It bounds hangs; it is no measure of speed.
const patience = 60 * time.Second

// Result is how a command ended.
type Result struct {
	// Output is standard output, Errors standard error.
	Output, Errors string
	// Code is the exit code; -1 when it was killed.
	Code int
}

func (r Result) String() string {
	return fmt.Sprintf("exit code %d\n--- stdout\n%s\n--- stderr\n%s", r.Code, r.Output, r.Errors)
}

// Command runs a program to its end. It fails the test when that hangs, and
// when another process keeps its output open after its end.
func Command(t testing.TB, cmd *exec.Cmd) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	stop()
	r := Result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%v did not end within %v: %v", cmd.Args, patience, r)
	case errors.Is(err, exec.ErrWaitDelay):
		t.Errorf("%v ended, but its daemon holds its output open", cmd.Args)
	case err != nil && !errors.As(err, &exit):
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return r
}

// WhileBusy is Command of what make makes, again as long as it says that the mount is
// busy: a process that a test beside this one is just starting has the files that are open
// here, until it executes its program.
func WhileBusy(t testing.TB, make func() *exec.Cmd) (r Result) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		r = Command(t, make())
		if r.Code == 0 || !strings.Contains(r.Output+r.Errors, "busy") || time.Now().After(end) {
			return r
		}
	}
}
