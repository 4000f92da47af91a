package main

import (
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
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
	for off := int64(0); ; {
		start, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
		if err != nil {
			return nil // no data behind off
		}
		end, err := unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if err := do(start, end); err != nil {
			return err
		}
		off = end
	}
}

// eachFile calls do with every regular file at or below root, opened for reading.
func eachFile(root string, do func(f *os.File) error) error {
	return filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return do(f)
	})
}
