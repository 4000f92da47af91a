package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// mountsWithin is how long a mount may take to appear.
const mountsWithin = 60 * time.Second

// isMounted says whether anything is mounted on dir, dead mounts included.
func isMounted(dir string) bool {
	mounts, err := os.ReadFile("/proc/self/mounts")
	return err == nil && bytes.Contains(mounts, []byte(" "+dir+" "))
}

// waitMounted returns as soon as something is mounted on dir. The kernel tells
// of a change of its table of mounts, so nothing is lost to a polling interval.
func waitMounted(ctx context.Context, dir string, ended <-chan struct{}) error {
	table, err := os.Open("/proc/self/mounts")
	if err != nil {
		return err
	}
	defer table.Close()
	deadline := time.Now().Add(mountsWithin)
	for !isMounted(dir) {
		select {
		case <-ended:
			return fmt.Errorf("it ended")
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no mount after %v", mountsWithin)
		}
		fds := []unix.PollFd{{Fd: int32(table.Fd()), Events: unix.POLLPRI}}
		_, _ = unix.Poll(fds, 50)
	}
	return nil
}

// attribute is an extended attribute of a file of a mount of zsyncfs, without
// the beginning "user.zsync.".
func attribute(path, name string) (string, error) {
	p := make([]byte, 4096)
	n, err := unix.Getxattr(path, "user.zsync."+name, p)
	if err != nil {
		return "", fmt.Errorf("attribute %s of %s: %w", name, path, err)
	}
	return string(p[:n]), nil
}

// blocksOf are the numbers of blocks of a file of a mount of zsyncfs: of all, and
// of those that are here.
func blocksOf(path string) (all, local int64, err error) {
	for name, n := range map[string]*int64{"blocks": &all, "blocks-local": &local} {
		value, err := attribute(path, name)
		if err != nil {
			return 0, 0, err
		}
		if *n, err = strconv.ParseInt(value, 10, 64); err != nil {
			return 0, 0, err
		}
	}
	return all, local, nil
}

// unmount takes the mount on dir away, if there is one. A mount that is in use
// is detached: what holds it is then on its own.
func unmount(dir string) {
	for _, flag := range []string{"-u", "-uz"} {
		if !isMounted(dir) {
			return
		}
		_ = exec.Command("fusermount3", flag, dir).Run()
	}
}
