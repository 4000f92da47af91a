package main

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// checkOutput finds early what would keep the control file from being written,
// or would have it written over its target.
func checkOutput(path string, target *os.File) error {
	if path == "-" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		dir, err := os.Stat(filepath.Dir(path))
		if err == nil && !dir.IsDir() {
			err = &fs.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
		}
		return err
	}
	if info.IsDir() {
		return &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	}
	if t, err := target.Stat(); err == nil && info.Mode().IsRegular() && os.SameFile(info, t) {
		return report.WithHint(fmt.Errorf("the control file would replace its target %s", path), "-o names another place for it")
	}
	return nil
}

// save writes a control file to path.
func (m *maker) save(path string, write func(io.Writer) error) error {
	if path == "-" {
		return m.stream(m.stdout, write)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		err = m.stream(f, write)
		if closed := f.Close(); err == nil {
			err = closed
		}
		return err
	}
	return making.Save(followLinks(path), 0, write)
}

// stream writes a control file to a pipe or device.
func (m *maker) stream(f *os.File, write func(io.Writer) error) error {
	if m.beforeStream != nil {
		m.beforeStream()
	}
	w := bufio.NewWriterSize(f, 256<<10)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

// followLinks is the path that a symbolic link at path leads to, whether there
// is something or not: the file is to be replaced, not the link.
func followLinks(path string) string {
	for range 40 { // as far as Linux follows them
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return path
}
