package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endsWithin is how long a process may take to end after it was asked to.
const endsWithin = 20 * time.Second

// process is a child in the foreground. It dies with this process.
type process struct {
	cmd    *exec.Cmd
	ended  chan struct{}
	took   time.Duration // from the start to the end, once it has ended
	output string        // path of what it printed
}

// startProcess runs a program whose output goes to a file, until it is released.
func startProcess(res *resources, output, path string, args ...string) (*process, error) {
	return startCommand(res, output, exec.Command(path, args...))
}

func startCommand(res *resources, output string, cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{}), output: output}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGTERM,
		Setpgid:   true, // the terminal's SIGINT is for us, who then stop it in order
	}
	err := res.start(func() (func(), error) {
		f, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		p.cmd.Stdout, p.cmd.Stderr = f, f
		begin := time.Now()
		if err := p.cmd.Start(); err != nil {
			return nil, err
		}
		go func() {
			_ = p.cmd.Wait()
			p.took = time.Since(begin)
			close(p.ended)
		}()
		return p.stop, nil
	})
	return p, err
}

// stop ends p. A process that has ended is left alone: its id may be another's.
func (p *process) stop() {
	select {
	case <-p.ended:
	default:
		stopProcess(p.cmd.Process.Pid)
	}
}

// said is the end of what p printed, for messages.
func (p *process) said() string { return tail(p.output) }

// tail is the last 500 bytes of a file, in one line.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	text = bytes.TrimSpace(text)
	text = text[max(0, len(text)-500):]
	return strings.ReplaceAll(string(text), "\n", " | ")
}

// stopProcess asks pid to end, then makes it.
func stopProcess(pid int) {
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := unix.Kill(pid, s); errors.Is(err, unix.ESRCH) || waitEnd(pid, endsWithin) {
			return
		}
	}
}

// waitEnd waits until pid has ended; false when it has not by then.
func waitEnd(pid int, atMost time.Duration) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return errors.Is(err, unix.ESRCH)
	}
	defer unix.Close(fd)
	deadline := time.Now().Add(atMost)
	for left := atMost; left > 0; left = time.Until(deadline) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, int(left.Milliseconds())+1); n > 0 && err == nil {
			return true
		}
	}
	return false
}

// withEnvironment returns the processes that were started with this entry in
// their environment. A daemon is known by it, whoever its parent is.
func withEnvironment(entry string) []int {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append([]byte{0}, env...), []byte("\x00"+entry+"\x00")) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(file, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// memory is the largest and the present resident size of pid, in bytes.
func memory(pid int) (peak, now int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	field := func(name string) int64 {
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, name+":"); ok {
				kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				return kb << 10
			}
		}
		return 0
	}
	peak, now = field("VmHWM"), field("VmRSS")
	if peak == 0 || now == 0 {
		return 0, 0, fmt.Errorf("process %d has no memory", pid)
	}
	return peak, now, nil
}
