package download

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"time"
)

// finish gives the complete, verified file at part its name. old is where the file
// that was at Path is now; same says that it was the target, and stays.
func (d *Download) finish(part string) (old string, same bool, err error) {
	before, _ := os.Stat(d.o.Path) // nil when there is none
	packed := part != d.partPath()
	if before != nil && !d.o.Force && d.fetched.Load() == 0 && d.sameAsPath(before, part) {
		err := d.keepPath(before)
		if packed {
			err = errors.Join(err, os.Remove(part))
		}
		return "", err == nil, err
	}
	if runtime.GOOS == "windows" {
		d.closePart() // open files keep their names there, and change their times
	}
	mode := d.finalMode(before)
	if mode != 0 {
		// Until it has its name this run, or one after it was killed, may have to
		// write to it.
		if err := os.Chmod(part, mode|0o600); err != nil {
			d.o.Warn(err)
		}
	}
	if !d.h.MTime.IsZero() {
		if err := os.Chtimes(part, time.Now(), d.h.MTime); err != nil {
			d.o.Warn(err)
		}
	}
	// Before it has its name: from then on no run would look for them.
	d.removeSetAside()
	old, err = d.replacePath(part)
	if err != nil {
		return "", false, err
	}
	if packed {
		d.closePart()
		if err := os.Remove(d.partPath()); err != nil {
			d.o.Warn(err)
		}
	}
	if mode != 0 && mode&0o600 != 0o600 {
		if err := os.Chmod(d.o.Path, mode); err != nil {
			d.o.Warn(err)
		}
	}
	return old, false, nil
}

// finalMode is which permissions the file gets: those of before, which is replaced
// and may be nil; else those of any new file (0), but a program where the first
// seed is one, as an AppImage's update under a new name.
func (d *Download) finalMode(before os.FileInfo) os.FileMode {
	if before != nil {
		if before.Mode().IsRegular() {
			return before.Mode().Perm()
		}
		return 0
	}
	if len(d.o.Seeds) == 0 {
		return 0
	}
	seed, err := os.Stat(d.o.Seeds[0])
	if err != nil || !seed.Mode().IsRegular() || seed.Mode()&0o100 == 0 {
		return 0
	}
	made, err := os.Stat(d.partPath())
	if err != nil {
		return 0
	}
	mode := made.Mode().Perm()
	return mode | mode&0o444>>2 // x for all who may read
}

// replacePath gives part the name Path, and what was there the name old.
func (d *Download) replacePath(part string) (old string, err error) {
	// Where open files can be renamed, the lock is held until the file has its
	// name: who opened it under the old one does not write to the finished file.
	moved := false
	if _, err := os.Lstat(d.o.Path); err == nil {
		if old, moved, err = d.keepOld(); err != nil {
			return "", err
		}
	}
	if err := os.Rename(part, d.o.Path); err != nil {
		if moved {
			err = errors.Join(err, os.Rename(old, d.o.Path))
		}
		return "", err
	}
	return old, nil
}

// keepOld leaves the file at Path under a second name. At no time is there
// nothing at Path, unless the file system has no links: then moved is true.
func (d *Download) keepOld() (old string, moved bool, err error) {
	old = d.oldPath()
	if err := os.Remove(old); err != nil && !isMissingFile(err) {
		return "", false, err
	}
	if os.Link(d.o.Path, old) == nil {
		return old, false, nil
	}
	return old, true, os.Rename(d.o.Path, old)
}

// sameAsPath compares Path with the finished file, which is at part.
func (d *Download) sameAsPath(info os.FileInfo, part string) bool {
	made, err := os.Open(part)
	if err != nil {
		return false
	}
	defer made.Close()
	size, err := made.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != size.Size() {
		return false
	}
	f, err := os.Open(d.o.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	mine, theirs := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < info.Size(); off += int64(len(mine)) {
		n, err := made.ReadAt(mine, off)
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
	if !d.h.MTime.IsZero() && !info.ModTime().Equal(d.h.MTime) {
		if err := os.Chtimes(d.o.Path, time.Now(), d.h.MTime); err != nil {
			d.o.Warn(err)
		}
	}
	if runtime.GOOS == "windows" {
		d.closePart()
	}
	d.removeSetAside()
	return os.Remove(d.partPath())
}

func (d *Download) removeSetAside() {
	for _, path := range d.setAside {
		if err := os.Remove(path); err != nil && !isMissingFile(err) {
			d.o.Warn(err)
		}
	}
}
