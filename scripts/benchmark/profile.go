package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// profileTime is how long a daemon is watched.
	profileTime = time.Second
	// profileLines is how many functions are named.
	profileLines = 12
	// systemCalls are the functions that only make system calls: what calls them says more.
	systemCalls = `^(internal/runtime/syscall[/a-z]*|syscall|golang\.org/x/sys/unix|internal/poll)\.`
)

// profiler takes the profile of the last mount of zsyncfs, or of the longest run of
// another program, while a measurement runs once more to see where its time goes.
type profiler struct {
	tool    *tool
	path    string
	err     error
	longest float64 // CPU time of the run that the profile is of, in seconds
}

// profile runs a row once more and says in which functions the daemon of the mount, or
// the longest run of t, spent its time.
func (b *bench) profile(r row, t *tool) (string, error) {
	p := &profiler{tool: t, path: filepath.Join(b.work, "cpu.pprof"), err: errors.New("nothing was run")}
	b.profiler = p
	defer func() { b.profiler = nil }()
	defer os.Remove(p.path)
	if _, err := b.measureOnce(r, r.tools[0], b.repeat); err != nil {
		return "", err
	}
	if p.err != nil {
		return "", p.err
	}
	out, err := exec.CommandContext(b.ctx, "go", "tool", "pprof", "-top", "-hide", systemCalls, "-nodecount", fmt.Sprint(profileLines), p.path).Output()
	if err != nil {
		return "", fmt.Errorf("go tool pprof: %w", err)
	}
	return string(out), nil
}

// variable is what the environment of a run of t has for a profile of it; "" when none
// is taken.
func (p *profiler) variable(t *tool) string {
	if p == nil || t != p.tool {
		return ""
	}
	return "ZSYNCFS_CPU_PROFILE=" + p.path + ".new"
}

// took says how much CPU time a run of t took: the longest counts.
func (p *profiler) took(t *tool, seconds float64) {
	if p.variable(t) == "" || seconds < p.longest {
		return
	}
	p.longest = seconds
	p.err = os.Rename(p.path+".new", p.path)
}

// watch takes the profile of the daemon of a cache folder from now on. The mount lasts
// until it is taken.
func (b *bench) watch(cache string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.profiler.err = fetchProfile(b.ctx, cache, b.profiler.path)
	}()
	b.res.add(func() { <-done })
}

// fetchProfile saves the CPU profile of the next profileTime of the daemon of a cache
// folder.
func fetchProfile(ctx context.Context, cache, path string) error {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(cache, "socket"))
	}}}
	defer client.CloseIdleConnections()
	url := fmt.Sprintf("http://daemon/debug/pprof/profile?seconds=%d", int(profileTime.Seconds()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, body, 0o600)
}

// explain adds to the result of a row that missed a goal about time what that is held
// against and, of a program, where its time goes.
func (b *bench) explain(r row, out *result) {
	missed := slices.IndexFunc(out.Metrics, func(m *judged) bool { return m.Missed && m.Timed })
	if missed < 0 || b.short || out.own().Error != "" {
		return
	}
	out.Bound = r.bound
	if r.tools[0].mount == nil && r.tools[0].program == "" {
		return // it is no program of its own
	}
	text, err := b.profile(r, cmp.Or(r.metrics[missed].of, r.tools[0]))
	if err != nil {
		text = fmt.Sprintf("no profile: %v", err)
	}
	out.Profile = strings.TrimSpace(text)
}
