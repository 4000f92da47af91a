package download

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"
)

// finish gives the complete, verified file its name. old is where the file that
// was at Path is now; same says that it was the target, and stays.
func (d *Download) finish() (old string, same bool, err error) {
	before, err := os.Stat(d.o.Path)
	exists := err == nil
	if exists && !d.o.Force && d.fetched.Load() == 0 && d.sameAsPath(before) {
		err := d.keepPath(before)
		return "", err == nil, err
	}
	mode := os.FileMode(0)
	if exists && before.Mode().IsRegular() {
		mode = before.Mode().Perm() // a program stays one
	}
	d.closePart()
	if mode != 0 {
		if err := os.Chmod(d.partPath(), mode); err != nil {
			d.o.Warn(err)
		}
	}
	if !d.h.MTime.IsZero() {
		if err := os.Chtimes(d.partPath(), time.Now(), d.h.MTime); err != nil {
			d.o.Warn(err)
		}
	}
	if _, err := os.Lstat(d.o.Path); err == nil {
		if old, err = d.keepOld(); err != nil {
			return "", false, err
		}
	}
	if err := os.Rename(d.partPath(), d.o.Path); err != nil {
		return old, false, err
	}
	d.removeSetAside()
	return old, false, nil
}

// keepOld leaves the file at Path under a second name. At no time is there
// nothing at Path, unless the file system has no links.
func (d *Download) keepOld() (string, error) {
	old := d.o.Path + ".zs-old"
	if err := os.Remove(old); err != nil && !isMissingFile(err) {
		return "", err
	}
	if os.Link(d.o.Path, old) == nil {
		return old, nil
	}
	return old, os.Rename(d.o.Path, old)
}

// sameAsPath compares Path with the finished file.
func (d *Download) sameAsPath(info os.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Size() != d.geo.Length {
		return false
	}
	f, err := os.Open(d.o.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	mine, theirs := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < d.geo.Length; off += int64(len(mine)) {
		n, err := d.out.ReadAt(mine, off)
		m, err2 := f.ReadAt(theirs, off)
		if n != m || !bytes.Equal(mine[:n], theirs[:n]) || n == 0 ||
			err != nil && !errors.Is(err, io.EOF) || err2 != nil && !errors.Is(err2, io.EOF) {
			return false
		}
	}
	return true
}

// keepPath leaves the file at Path, for it is the target, and removes the rest.
func (d *Download) keepPath(info os.FileInfo) error {
	d.closePart()
	if !d.h.MTime.IsZero() && !info.ModTime().Equal(d.h.MTime) {
		if err := os.Chtimes(d.o.Path, time.Now(), d.h.MTime); err != nil {
			d.o.Warn(err)
		}
	}
	if err := os.Remove(d.partPath()); err != nil {
		return err
	}
	d.removeSetAside()
	return nil
}

func (d *Download) removeSetAside() {
	for _, path := range d.setAside {
		if err := os.Remove(path); err != nil && !isMissingFile(err) {
			d.o.Warn(err)
		}
	}
}
