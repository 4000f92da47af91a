package download

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/zsyncfs/zsyncfs/format"
)

// maxSetAside is how many files of earlier versions are kept as seeds.
const maxSetAside = 9

func (d *Download) partPath() string { return d.part }
func (d *Download) oldPath() string  { return d.o.Path + ".zs-old" }

// openPart opens Path.part for this run alone, and makes it when there is none.
func (d *Download) openPart() error {
	if err := refuseOdd(d.o.Path, true); err != nil {
		return err
	}
	if err := refuseOdd(d.partPath(), false); err != nil {
		return err
	}
	if _, err := os.Lstat(d.o.Path); err == nil {
		if err := refuseOdd(d.oldPath(), true); err != nil {
			return err
		}
	}
	return d.openLocked(os.O_RDWR | os.O_CREATE)
}

// openLocked opens Path.part as d.out and locks it.
func (d *Download) openLocked(flags int) error {
	path := d.partPath()
	f, err := os.OpenFile(path, flags, d.partMode())
	if err != nil {
		return err
	}
	err = lock(f)
	if err == nil && !stillThere(f, path) {
		err = ErrBusy // whoever had the lock gave the file its final name
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	d.out = f
	return nil
}

// partMode is the permissions of a new Path.part: who may not read the file that it is
// going to replace may not read it either.
func (d *Download) partMode() os.FileMode {
	if before, err := os.Stat(d.o.Path); err == nil && before.Mode().IsRegular() {
		return before.Mode()&0o666 | 0o600
	}
	return 0o666
}

// removeEmpty removes Path.part when there is nothing in it. The lock is still
// held, so no other process has begun with it.
func (d *Download) removeEmpty() bool {
	if d.out == nil || !d.fresh || d.written.Load() {
		return false
	}
	if runtime.GOOS == "windows" { // open files are not removed there
		d.closePart()
	}
	return os.Remove(d.partPath()) == nil
}

func (d *Download) closePart() {
	if d.out != nil {
		d.out.Close()
		d.out = nil
	}
}

// stillThere says whether path still leads to f.
func stillThere(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(open, named)
}

// refuseOdd refuses a folder, pipe or device under a name that is going to be
// taken, and a symbolic link where the file behind it would be written to.
func refuseOdd(path string, link bool) error {
	info, err := os.Lstat(path)
	if isMissingFile(err) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() && !(link && info.Mode()&os.ModeSymlink != 0) {
		err = fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	return err
}

// resume takes up what Path.part holds, or sets it aside.
func (d *Download) resume(ctx context.Context) error {
	info, err := d.out.Stat()
	if err != nil {
		return err
	}
	d.listSetAside()
	if info.Size() == 0 {
		d.sparse, d.fresh = true, true
		return d.out.Truncate(d.geo.Length)
	}
	// A file that has a second name is not written to: it may be what somebody
	// keeps under that.
	odd := info.Size() > d.geo.Length || links(info) > 1
	if !odd {
		found, err := d.checkInPlace(ctx, Resuming, d.out, info.Size())
		if err != nil {
			return err
		}
		odd = found.other > 16+found.right/64
		if !odd {
			// First its full length: blocks beyond the end are right when they are
			// zeros, and who follows reads them as soon as they are accepted.
			if err := d.out.Truncate(d.geo.Length); err != nil {
				return err
			}
			d.accept(found.known)
			return nil
		}
	}
	return d.replacePart()
}

// replacePart sets Path.part aside, for it is of another version, and begins a
// new one.
func (d *Download) replacePart() error {
	aside, err := d.freeName()
	if err != nil {
		return err
	}
	before := d.out
	if runtime.GOOS == "windows" { // open files keep their names there
		d.closePart()
	}
	// Elsewhere it stays locked until it has its new name: who opened it under the
	// old one must not go on with it, and then name this run's file as his.
	if err := os.Rename(d.partPath(), aside); err != nil {
		return err
	}
	d.setAside = append(d.setAside, aside)
	err = d.openLocked(os.O_RDWR | os.O_CREATE | os.O_EXCL)
	if d.out != before {
		before.Close()
	}
	if err != nil {
		return err
	}
	d.sparse, d.fresh = true, true
	return d.out.Truncate(d.geo.Length)
}

func (d *Download) asideName(n int) string {
	if n == 0 {
		return d.o.Path + ".part.old"
	}
	return fmt.Sprintf("%s.part.old.%d", d.o.Path, n)
}

// listSetAside finds what earlier runs set aside and did not come to remove.
func (d *Download) listSetAside() {
	for n := range maxSetAside {
		if info, err := os.Lstat(d.asideName(n)); err == nil && info.Mode().IsRegular() {
			d.setAside = append(d.setAside, d.asideName(n))
		}
	}
}

// freeName is a name to set a file aside under.
func (d *Download) freeName() (string, error) {
	for n := range maxSetAside {
		if _, err := os.Lstat(d.asideName(n)); isMissingFile(err) {
			return d.asideName(n), nil
		}
	}
	return "", fmt.Errorf("%s and %d more like it are all there: remove them", d.asideName(0), maxSetAside-1)
}

// planPart is resume without changing anything.
func (d *Download) planPart(ctx context.Context) error {
	d.listSetAside()
	path := d.partPath()
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		d.o.Warn(err)
		return nil
	}
	defer f.Close()
	found, err := d.checkInPlace(ctx, Resuming, f, min(info.Size(), d.geo.Length))
	if err != nil {
		return err
	}
	d.accept(found.known)
	d.setAside = append(d.setAside, path)
	return nil
}

// accept takes blocks that stand in the file already.
func (d *Download) accept(known []format.BlockRange) {
	for _, r := range known {
		for id := r.Start; id < r.End; id++ {
			if d.missing.Take(id) {
				d.local.Add(d.geo.BlockLength(id))
			}
			d.unwritten.Take(id)
		}
	}
	if d.follow != nil {
		d.follow.wake()
	}
}
