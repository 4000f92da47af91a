package main

import (
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/zsyncclient/sparse"
)

// dropPages takes the pages of a file, or of all files below a folder, out of
// the page cache, so that reading them reads the disk. Needs no privileges.
func dropPages(root string) error {
	return eachFile(root, func(f *os.File) error {
		if err := f.Sync(); err != nil { // only clean pages can go
			return err
		}
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}

// dropMounted takes the pages of a file in a mount out of the page cache: they are
// clean.
func dropMounted(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// loadPages reads a file, or all files below a folder, into the page cache.
// Holes are left out: a store's segments are sparse.
func loadPages(root string) error {
	return eachFile(root, func(f *os.File) error {
		return eachData(f, func(start, end int64) error {
			_, err := io.Copy(io.Discard, io.NewSectionReader(f, start, end-start))
			return err
		})
	})
}

// eachData calls do with every stretch [start, end) of f that is no hole.
func eachData(f *os.File, do func(start, end int64) error) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	for start, end := sparse.Next(f, 0, size); start < size; start, end = sparse.Next(f, end, size) {
		if err := do(start, end); err != nil {
			return err
		}
	}
	return nil
}

// eachFile calls do with every regular file at or below root, opened for reading. What
// goes meanwhile is left out.
func eachFile(root string, do func(f *os.File) error) error {
	return filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return ignoreGone(err)
		}
		f, err := os.Open(path)
		if err != nil {
			return ignoreGone(err)
		}
		defer f.Close()
		return do(f)
	})
}
