package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// profileTime is how long a daemon is watched.
	profileTime = 3 * time.Second
	// profileLines is how many functions are named.
	profileLines = 12
)

// profiler is told of the caches of the mounts of zsyncfs while a measurement runs
// once more to see where its time goes.
type profiler struct{ caches chan string }

// profile runs a row of the mount once more and says in which functions the daemon
// spent its time.
func (b *bench) profile(r row) (string, error) {
	b.profiler = &profiler{caches: make(chan string, 16)}
	defer func() { b.profiler = nil }()
	type outcome struct {
		path string
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		path, err := b.profiler.take(b.ctx, b.work)
		done <- outcome{path, err}
	}()
	_, err := b.measureOnce(r, r.tools[0], b.repeat)
	close(b.profiler.caches)
	taken := <-done
	if err != nil {
		return "", err
	}
	if taken.err != nil {
		return "", taken.err
	}
	defer os.Remove(taken.path)
	out, err := exec.CommandContext(b.ctx, "go", "tool", "pprof", "-top", "-nodecount", fmt.Sprint(profileLines), b.binary, taken.path).Output()
	if err != nil {
		return "", fmt.Errorf("go tool pprof: %w", err)
	}
	return string(out), nil
}

// take takes the profile of the first daemon that it hears of; what a daemon has done
// when it ends counts.
func (p *profiler) take(ctx context.Context, work string) (path string, err error) {
	err = fmt.Errorf("nothing was mounted")
	for cache := range p.caches {
		if path != "" {
			continue
		}
		path = filepath.Join(work, "cpu.pprof")
		if err = fetchProfile(ctx, cache, path); err != nil {
			path = ""
		}
	}
	return path, err
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
// against and, of a row of the mount, where the daemon's time goes.
func (b *bench) explain(r row, out *result) {
	slow := false
	for _, m := range out.Metrics {
		slow = slow || m.Missed && m.Timed
	}
	if !slow || b.short || out.own().Error != "" {
		return
	}
	out.Bound = r.bound
	if r.tools[0].mount == nil {
		return
	}
	text, err := b.profile(r)
	if err != nil {
		text = fmt.Sprintf("no profile: %v", err)
	}
	out.Profile = strings.TrimSpace(text)
}
