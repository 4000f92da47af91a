package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// nbdkit is two programs: nbdkit asks the web server, and nbdfuse, which starts
// it, has the mount.
var nbdkit = &tool{name: "nbdkit", program: "nbdkit", mount: mountNbdkit, find: func() (string, error) {
	if _, err := find("nbdfuse"); err != nil {
		return "", err
	}
	return find("nbdkit")
}}

// mountNbdkit has nbdfuse start nbdkit on a socket of theirs, so that it uses
// several connections. nbdkit ends with nbdfuse.
func mountNbdkit(b *bench, base, name, dir, cache string) (int, error) {
	return b.mountForeground(dir, "nbdfuse", "-r", filepath.Join(dir, name),
		"[", "nbdkit", "--exit-with-parent", "curl", "url="+base+name, "proxy=", "]")
}

// family is pid and the processes that it has started.
func family(pid int) ([]int, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	out := []int{pid}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			out = append(out, child)
		}
	}
	return out, nil
}
