package fs

import (
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// A version stays what it is when its control file is somewhere else by now: listings
// have links with signatures that end, and a file that left its listing and came back is
// another one to the archive. So what a version comes from is that which the last look-up
// of its name found. Handles keep the target that they opened.

// origin is what a version comes from. It is never changed.
type origin struct {
	file *archive.File
	kept kept // the control file; it stays as long as the kernel knows the node
}

func (n *fileNode) file() *archive.File { return n.origin.Load().file }

func (n *fileNode) control() *zsyncclient.Control { return n.origin.Load().kept.control() }

func (n *fileNode) path() string { return n.file().Path() }

// renew takes in what a look-up found. It is false, and nothing is taken, when that is
// another version to the store, which goes by the place of the control file too.
func (n *fileNode) renew(file *archive.File, ctl *zsyncclient.Control) bool {
	found, last := keep(ctl), n.origin.Load()
	if last.file == file && last.kept.equal(&found) {
		return true // most look-ups; nothing is made for them
	}
	if n.fs.pool.VersionKey(last.kept.control()) != n.fs.pool.VersionKey(ctl) {
		return false
	}
	n.origin.Store(&origin{file, found})
	return true
}
