package fs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// interruptPoll is how often an interrupted caller is looked at again.
const interruptPoll = 100 * time.Millisecond

// requestContext is ctx of a FUSE request with a deadline, deaf to interrupts
// of a caller that goes on living. cancel must be called.
func requestContext(ctx context.Context, deadline time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	out, cancelDeadline := context.WithTimeoutCause(out, deadline,
		fmt.Errorf("no answer within the read deadline of %v: %w", deadline, context.DeadlineExceeded))
	stop := context.AfterFunc(ctx, func() {
		for !dying(ctx) {
			select {
			case <-time.After(interruptPoll):
			case <-out.Done():
				return
			}
		}
		cancel(errInterrupted)
	})
	return out, func() {
		stop()
		cancelDeadline()
		cancel(nil)
	}
}

// dying says whether the caller of a FUSE request has a signal pending that
// ends it. A caller that cannot be looked at counts as dying: its process is
// gone or lies in another namespace.
func dying(ctx context.Context) bool {
	caller, ok := fuse.FromContext(ctx)
	if !ok || caller.Pid == 0 {
		return true
	}
	status, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(caller.Pid), 10) + "/status")
	return err != nil || endsProcess(status)
}

// fatalByDefault are the signals whose default action ends a process.
var fatalByDefault = func() (set uint64) {
	for s := 1; s <= 64; s++ {
		switch unix.Signal(s) {
		case unix.SIGCHLD, unix.SIGCONT, unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN,
			unix.SIGTTOU, unix.SIGURG, unix.SIGWINCH:
		default:
			set |= 1 << (s - 1)
		}
	}
	return set
}()

// endsProcess says whether /proc/PID/status tells of a pending signal that ends
// the process.
func endsProcess(status []byte) bool {
	var pending, blocked, caught, ignored uint64
	for s := bufio.NewScanner(bytes.NewReader(status)); s.Scan(); {
		name, value, ok := bytes.Cut(s.Bytes(), []byte(":\t"))
		if !ok {
			continue
		}
		set, err := strconv.ParseUint(string(value), 16, 64)
		if err != nil {
			continue
		}
		switch string(name) {
		case "SigPnd", "ShdPnd":
			pending |= set
		case "SigBlk":
			blocked = set
		case "SigCgt":
			caught = set
		case "SigIgn":
			ignored = set
		}
	}
	kill := uint64(1) << (unix.SIGKILL - 1)
	return pending&(fatalByDefault&^blocked&^caught&^ignored|kill) != 0
}
