package mounttest

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds hangs; it is no measure of speed.
const patience = 60 * time.Second

// link makes a second name of a file, in a folder of the same file system.
func link(from, to string) error { return os.Link(from, to) }

// output collects what a process prints. Safe for concurrent use.
type output struct {
	more chan struct{} // has an element when there is more than before

	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func newOutput() *output { return &output{more: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// sideBySide runs subtests at once, four at a time whatever -parallel says: they wait
// more than they work, not least for programs with the race detector to end.
func sideBySide(t *testing.T, tests map[string]func(*testing.T)) {
	t.Helper()
	limit := make(chan struct{}, 4)
	var running sync.WaitGroup
	for name, test := range tests {
		running.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			t.Run(name, test)
		})
	}
	running.Wait()
}

// within runs f and fails the test when it does not end.
func within(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatalf("%s has not ended after %v", what, patience)
		return nil
	}
}

// eventually waits until f returns nil, and fails the test with its last error
// when that does not come.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	eventuallyIn(t, patience, what, f)
}

// eventuallyIn is eventually with another patience.
func eventuallyIn(t *testing.T, patience time.Duration, what string, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: still %v after %v", what, err, patience)
		}
	}
}

// xattr is the value of an extended attribute.
func xattr(path, name string) (string, error) {
	b := make([]byte, 64<<10)
	n, err := unix.Getxattr(path, name, b)
	if err != nil {
		return "", &os.PathError{Op: "getxattr " + name, Path: path, Err: err}
	}
	return string(b[:n]), nil
}

// isErrno says whether err is this errno.
func isErrno(err error, errno unix.Errno) bool { return errors.Is(err, errno) }
