package making

import (
	"bufio"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// UpToDate says whether the file at path is a control file that Write would
// make no different for the file that target describes: it can be read, is
// whole, has the target's length and time of change, is not older than the
// target, and agrees with what o sets. The target itself is not read.
func UpToDate(path string, target fs.FileInfo, o Options) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	h, err := format.ReadHeader(bufio.NewReader(f))
	if err != nil {
		return false
	}
	return h.Length == target.Size() &&
		info.Size() >= h.ControlLength() &&
		h.MTime.Unix() == target.ModTime().Unix() &&
		madeAfter(info.ModTime(), target.ModTime()) &&
		(o.BlockSize == 0 || o.BlockSize == h.BlockSize) &&
		(len(o.URLs) == 0 || slices.Equal(o.URLs, h.URLs))
}

// madeAfter: the header's MTime has whole seconds only, so a target changed
// again within its second is told by the control file being older. A target
// whose time lies in the future says nothing that way.
func madeAfter(control, target time.Time) bool {
	return !control.Before(target) || target.After(time.Now())
}
