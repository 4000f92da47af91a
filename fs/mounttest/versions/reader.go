package versions

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// childVariable holds kind and path for a child process, with a newline between.
const childVariable = "ZSYNCFS_VERSIONS_READER"

// Outcome of one reading.
type Outcome string

// The outcomes.
const (
	Whole Outcome = "whole" // all bytes are those of Version
	Stale Outcome = "stale" // ESTALE
	Wrong Outcome = "wrong" // bytes of several versions, or of none
	Lost  Outcome = "lost"  // an error for what was read before
	Other Outcome = "other" // any other error
)

// Reading is what a reader says of one reading.
type Reading struct {
	Outcome Outcome
	// Version is the one that was open; 0 when none was.
	Version int
	Text    string // of the error
}

// RunChild does the work of a reader and ends the process, if this is one.
func RunChild() {
	kind, path, is := strings.Cut(os.Getenv(childVariable), "\n")
	if !is {
		return
	}
	go func() { // its parent hangs up
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for out := json.NewEncoder(os.Stdout); ; {
		if err := out.Encode(read(path, Kind(kind))); err != nil {
			os.Exit(1)
		}
	}
}

func read(path string, kind Kind) Reading {
	f, err := os.Open(path)
	if err != nil {
		return reading(0, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return reading(0, err)
	}
	version := opened(f, info.Size())
	if err := readers[kind](f, info.Size()); err != nil {
		return reading(version, err)
	}
	return reading(version, nil)
}

func reading(version int, err error) Reading {
	r := Reading{Outcome: Whole, Version: version}
	if err == nil {
		return r
	}
	var mixed mixedError
	var lost lostError
	switch r.Text = err.Error(); {
	case errors.As(err, &mixed):
		r.Outcome = Wrong
	case errors.As(err, &lost):
		r.Outcome = Lost
	case errors.Is(err, unix.ESTALE):
		r.Outcome = Stale
	default:
		r.Outcome = Other
	}
	return r
}

// opened is the version that f is, by its length and by the attribute that tells
// its digest: its bytes need not be there any more. Without an attribute, on a
// disk, it is the older one of the pair.
func opened(f *os.File, length int64) int {
	older := 0
	for Length(older) != length {
		if older += 2; older > maxVersion {
			return 0
		}
	}
	digest := make([]byte, 256)
	n, err := unix.Fgetxattr(int(f.Fd()), "user.zsync.file-hash", digest)
	if err == nil && string(digest[:n]) == fmt.Sprintf("SHA-256:%x", sha256.Sum256(Content(older+1))) {
		return older + 1
	}
	return older
}

// Start starts a reader of path, whose readings go to tell, one after the other,
// until stop is called or the test ends.
func Start(t testing.TB, path string, kind Kind, tell func(Kind, Reading)) (stop func()) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	// Without Go's preemption signals: the kernel leaves a page fault that waited
	// for such a signal, whatever the outcome, so one that ends in an error after
	// more than 10 ms would be repeated, and interrupted, without end.
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1", childVariable+"="+string(kind)+"\n"+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		var err error
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var r Reading
			if err = json.Unmarshal(lines.Bytes(), &r); err != nil {
				err = fmt.Errorf("%q: %w", lines.Text(), err)
				break
			}
			tell(kind, r)
		}
		io.Copy(io.Discard, out)
		ended <- errors.Join(err, cmd.Wait())
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		in.Close()
		if err := <-ended; err != nil {
			t.Errorf("reader by %s: %v", kind, err)
		}
	}
	t.Cleanup(stop)
	return stop
}
