//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/cmd/internal/scripttest"
)

// A signal ends the program at once, also when what it reads blocks, and leaves
// nothing behind.
func TestSignals(t *testing.T) {
	for _, tt := range []struct {
		signal os.Signal
		code   int
	}{{os.Interrupt, 130}, {syscall.SIGTERM, 143}} {
		dir := t.TempDir()
		cmd := ourProgram(t, dir, "-o", "out", "-u", "u")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// More than a pipe holds: when it has been written, the program reads.
		if _, err := io.CopyN(stdin, zeros{}, 20<<20); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(tt.signal); err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		if code := exitCodeOf(err); code != tt.code || !strings.HasPrefix(stderr.String(), "zsyncmake: error: ended by a signal: ") {
			t.Errorf("%v: exit code %d, want %d; %s", tt.signal, code, tt.code, stderr.String())
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%v: left behind: %v", tt.signal, left)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func exitCodeOf(err error) int {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return 0
}

// A pipe that nobody writes to does not keep a signal from ending the program.
func TestSignalWhileOpening(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The other file tells when the program is at work: with one core it comes first.
	if err := os.WriteFile(filepath.Join(dir, "a"), noise(1), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := ourProgram(t, dir, "-v", "-u", "u/", "a", "pipe")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stderr.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stderr); err != nil {
		t.Fatal(err)
	}
	if code := exitCodeOf(cmd.Wait()); code != 130 {
		t.Errorf("exit code %d", code)
	}
}

// A pipe has a name and a time, and no length.
func TestNamedPipe(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	data := noise(3 << 20)
	go os.WriteFile(pipe, data, 0)
	if out, err := ourProgram(t, dir, "-u", "u", "pipe").CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	copied := filepath.Join(dir, "copy")
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := scripttest.Agree(pipe+".zsync", copied); err != nil {
		t.Error(err)
	}
}
