package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/oldzsync"
)

// tool is a program that takes part.
type tool struct {
	name    string
	program string // what must be there; "" when it always is
	own     bool   // of this project: program is one that it builds
	// find looks the program up; nil: it is in the folder of this project's, or any
	// of its name will do.
	find func() (path string, err error)
	// mount puts the file name of the web server at base on dir and returns when
	// it can be used; cache is a folder that it may keep things in. nil: the tool
	// mounts nothing (a limit).
	mount func(b *bench, base, name, dir, cache string) (pid int, err error)
	limit bool     // no peer, but the most that can be had
	env   []string // put into the environment of the program
}

var (
	zsyncfs    = zsyncfsWith()
	httpfs2    = &tool{name: "httpfs2", program: "httpfs2", mount: mountHttpfs2}
	rclone     = &tool{name: "rclone", program: "rclone", mount: mountRclone("off")}
	rcloneFull = &tool{name: "rclone full", program: "rclone", mount: mountRclone("full")}
	curl       = &tool{name: "curl", program: "curl", limit: true}
	localFile  = &tool{name: "local file", limit: true}

	zsync           = &tool{name: "zsync", program: "zsync", own: true}
	zsyncmake       = &tool{name: "zsyncmake", program: "zsyncmake", own: true}
	debianZsync     = debianTool("zsync")
	debianZsyncmake = debianTool("zsyncmake")
)

// debianTool is a program of Debian's zsync. This project's has the same name,
// and once installed may be the first on the PATH.
func debianTool(program string) *tool {
	return &tool{name: "Debian's", program: program, find: sync.OnceValues(func() (string, error) {
		return oldzsync.Find(program, "0.6")
	})}
}

// find looks a program up in the path and where Debian keeps servers.
func find(name string) (string, error) {
	for _, p := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(p); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// path is that of a tool's program; "" when it needs none.
func (b *bench) path(t *tool) (string, error) {
	switch {
	case t.program == "":
		return "", nil
	case t.find != nil:
		return t.find()
	case !t.own:
		return find(t.program)
	}
	path := filepath.Join(b.bin, t.program)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("this project's %s is not built", t.program)
	}
	return path, nil
}

// mounted is a mount of one tool.
type mounted struct {
	tool  *tool
	dir   string
	file  string        // path of the file in it
	pid   int           // of the process that answers; 0 when not known yet
	begin time.Time     // start of the command
	took  time.Duration // from there until the mount could be used
}

// newMount mounts with an empty cache. release in resources takes it away.
func (b *bench) newMount(t *tool, base, name string) (*mounted, error) {
	cache, err := b.newFolder("cache")
	if err != nil {
		return nil, err
	}
	return b.mountWith(t, base, name, cache)
}

// mountWith mounts with the cache of an earlier mount.
func (b *bench) mountWith(t *tool, base, name, cache string) (*mounted, error) {
	dir, err := b.newFolder("mnt")
	if err != nil {
		return nil, err
	}
	m := &mounted{tool: t, dir: dir, file: filepath.Join(dir, name)}
	b.res.add(func() { unmount(dir) })
	m.begin = time.Now()
	m.pid, err = t.mount(b, base, name, dir, cache)
	m.took = time.Since(m.begin)
	if err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	return m, nil
}

// newFolder makes an empty folder that goes when it is released.
func (b *bench) newFolder(name string) (string, error) { return b.newFolderIn(b.work, name) }

func (b *bench) newFolderIn(parent, name string) (string, error) {
	var dir string
	err := b.res.start(func() (release func(), err error) {
		dir, err = os.MkdirTemp(parent, name+"-")
		return func() {
			if !isMounted(dir) {
				_ = os.RemoveAll(dir)
			}
		}, err
	})
	return dir, err
}

// zsyncfsWith is this project's mount with some flags.
func zsyncfsWith(flags ...string) *tool {
	return &tool{name: "zsyncfs", own: true, mount: func(b *bench, base, name, dir, cache string) (int, error) {
		flags := append([]string{"--cache-dir", cache}, flags...)
		if b.profiler != nil {
			flags = append(flags, "--pprof")
		}
		pid, err := b.mountZsyncfs(flags, base, dir)
		if b.profiler != nil && err == nil {
			b.watch(cache)
		}
		return pid, err
	}}
}

// mountZsyncfs runs the command as a user does. Its daemon goes on by itself:
// it is known by its environment, for it may have to be stopped even when the
// command has failed.
func (b *bench) mountZsyncfs(flags []string, base, dir string) (int, error) {
	entry := "ZSYNCFS_BENCH_MOUNT=" + dir
	b.res.add(func() {
		pids := withEnvironment(entry)
		unmount(dir)
		for _, pid := range pids {
			if !waitEnd(pid, endsWithin) { // it ends with its last mount
				stopProcess(pid)
			}
		}
	})
	cmd := exec.CommandContext(b.ctx, b.binary, slices.Concat([]string{"mount"}, flags, []string{base, dir})...)
	cmd.Env = append(os.Environ(), entry)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return 0, nil
}

func mountHttpfs2(b *bench, base, name, dir, cache string) (int, error) {
	return b.mountForeground(dir, "httpfs2", "-f", "-c", "/dev/null", base+name, dir)
}

func mountRclone(mode string) func(b *bench, base, name, dir, cache string) (int, error) {
	return func(b *bench, base, name, dir, cache string) (int, error) {
		return b.mountForeground(dir, "rclone", "--config", "", "mount", ":http:", dir, "--http-url", base,
			"--read-only", "--vfs-cache-mode", mode, "--cache-dir", cache)
	}
}

// mountForeground starts a program that stays in the foreground while its mount lasts.
func (b *bench) mountForeground(dir, name string, args ...string) (int, error) {
	path, err := find(name)
	if err != nil {
		return 0, err
	}
	p, err := startProcess(b.res, filepath.Join(b.work, filepath.Base(name)+".log"), path, args...)
	if err != nil {
		return 0, err
	}
	b.res.add(func() {
		unmount(dir)
		waitEnd(p.cmd.Process.Pid, endsWithin)
	})
	if err := waitMounted(b.ctx, dir, p.ended); err != nil {
		return 0, fmt.Errorf("%w: %s", err, p.said())
	}
	return p.cmd.Process.Pid, nil
}

// daemon is the process that answers.
func (m *mounted) daemon() (pid int, err error) {
	if m.pid != 0 {
		return m.pid, nil
	}
	pids := withEnvironment("ZSYNCFS_BENCH_MOUNT=" + m.dir)
	if len(pids) != 1 {
		return 0, fmt.Errorf("%d daemons of one mount", len(pids))
	}
	return pids[0], nil
}

// memory is that of the process that answers and of those that it has started,
// in bytes.
func (m *mounted) memory() (peak, now int64, err error) {
	pid, err := m.daemon()
	if err != nil {
		return 0, 0, err
	}
	pids, err := family(pid)
	if err != nil {
		return 0, 0, err
	}
	for _, pid := range pids {
		most, present, err := memory(pid)
		if err != nil {
			return 0, 0, err
		}
		peak, now = peak+most, now+present
	}
	return peak, now, nil
}
