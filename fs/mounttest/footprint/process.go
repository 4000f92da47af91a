package footprint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// ofProcess fills in what /proc tells.
func (f *Footprint) ofProcess(pid int, store string) error {
	dir := fmt.Sprintf("/proc/%d/", pid)
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			f.Resident = n << 10
		case "Threads":
			f.Threads = int(n)
		}
	}
	tasks, err := filepath.Glob(dir + "task/*/children")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		text, _ := os.ReadFile(task) // the thread may have ended
		for _, child := range strings.Fields(string(text)) {
			name, err := os.ReadFile("/proc/" + child + "/comm")
			if err == nil {
				f.Children = append(f.Children, strings.TrimSpace(string(name)))
			}
		}
	}
	f.Descriptors, err = descriptors(dir+"fd", store)
	return err
}

var digits = regexp.MustCompile("[0-9]+")

// descriptors counts what the links in the folder dir lead to.
func descriptors(dir, store string) (map[string]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // closed meanwhile
		case err != nil:
			return nil, err
		}
		if rest, ok := strings.CutPrefix(to, store); ok {
			to = "the store" + place(rest)
		}
		if kind, _, ok := strings.Cut(to, ":["); ok && kind != "anon_inode" {
			to = kind // socket, pipe: each has a number
		}
		out[to]++
	}
	return out, nil
}

// place is a path within a store without what names a version, and without numbers.
func place(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		if i > 0 && parts[i-1] == "versions" {
			prefix := ""
			if len(parts[i]) > 2 && parts[i][1] == '-' {
				prefix = parts[i][:2]
			}
			parts[i] = prefix + "VERSION"
		}
	}
	return digits.ReplaceAllString(strings.Join(parts, "/"), "N")
}

// ofFolder fills in what is on the disk.
func (f *Footprint) ofFolder(store string) error {
	f.Files = map[string]int{}
	return filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // files come and go
		}
		if err != nil || strings.HasPrefix(d.Name(), "daemon.log") {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode().IsRegular() {
			f.Disk += st.Blocks * 512
		}
		f.Files[place(strings.TrimPrefix(path, store))]++
		return nil
	})
}
