package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// usage is what a program took from its start to its end.
type usage struct {
	wall float64 // seconds
	cpu  float64 // seconds of all its threads, user and system
	peak float64 // largest resident size, MB
}

// peakEvery is the time between looks at a program's largest resident size.
const peakEvery = 10 * time.Millisecond

// runProgram runs a program in dir until it ends. The usage holds even when its
// exit status says that it failed.
func (b *bench) runProgram(dir string, t *tool, args ...string) (usage, error) {
	path, err := b.path(t)
	if err != nil {
		return usage{}, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = dir, append(directEnvironment(os.Environ()), t.env...)
	if variable := b.profiler.variable(t); variable != "" {
		cmd.Env = append(cmd.Env, variable)
	}
	output := filepath.Join(b.work, filepath.Base(path)+".log")
	if err := os.RemoveAll(output); err != nil {
		return usage{}, err
	}
	p, err := startCommand(b.res, output, cmd)
	if err != nil {
		return usage{}, err
	}
	peak := p.peak()
	state := p.cmd.ProcessState
	u := usage{
		wall: p.took.Seconds(), cpu: (state.UserTime() + state.SystemTime()).Seconds(), peak: float64(peak) / 1e6,
	}
	b.profiler.took(t, u.cpu)
	if !state.Success() {
		return u, fmt.Errorf("%s: %s: %s", t.program, state, p.said())
	}
	return u, nil
}

// peak waits until p has ended and returns its largest resident size, in bytes.
// The kernel's account at the end of a process begins with what its parent has
// for itself; where this hides it, the last look while it ran counts.
func (p *process) peak() int64 {
	ticker := time.NewTicker(peakEvery)
	defer ticker.Stop()
	var seen int64
	for {
		select {
		case <-ticker.C:
			if peak, _, err := memory(p.cmd.Process.Pid); err == nil {
				seen = peak
			}
			continue
		case <-p.ended:
		}
		break
	}
	own, _, err := memory(os.Getpid())
	account, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok || err != nil {
		return seen
	}
	if total := account.Maxrss << 10; total > own || seen == 0 {
		return total
	}
	return seen
}

// directEnvironment is an environment in which no program uses a proxy.
func directEnvironment(all []string) []string {
	var out []string
	for _, entry := range all {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			out = append(out, entry)
		}
	}
	return append(out, "LC_ALL=C")
}
