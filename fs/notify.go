package fs

import (
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// notify sends what the kernel must be told, one after the other.
func (f *FS) notify() {
	defer f.worker.Done()
	for notice := range f.notices {
		notice()
	}
}

// attach lets notices through. The root inode must be connected with a server,
// and that must not have answered the kernel's first question yet: until then
// the kernel knows nothing that it could forget, so no notice is missed.
func (f *FS) attach() { f.setAttached(true) }

// detach drops the notices that come from now on. One that is under way meets a
// closed device, which is no harm.
func (f *FS) detach() { f.setAttached(false) }

func (f *FS) setAttached(attached bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attached = attached
}

// tell hands a notice to the worker, which alone may touch the inodes for it.
// Without a kernel that listens it is dropped. When too many wait it is dropped
// too: the kernel asks again when its time for the name is over. It says whether the
// worker has it.
func (f *FS) tell(notice func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.attached || f.closed {
		return false
	}
	select {
	case f.notices <- notice:
		return true
	default:
		return false
	}
}

// insist is tell, but when too many notices wait it tries again later.
func (f *FS) insist(notice func()) {
	if !f.tell(notice) && f.listens() {
		time.AfterFunc(noticePause, func() { f.insist(notice) })
	}
}

// listens says whether there is a kernel that can be told something.
func (f *FS) listens() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attached && !f.closed
}

// entryName is a name in the directory at dir ("" is the root).
type entryName struct{ dir, name string }

// forgetNames makes the kernel forget names, and says whether it is going to: at once, or
// when nobody waits for a look-up in their directories. Never blocks; may be called at any
// time, also before Mount, and after the unmount and Close.
func (f *FS) forgetNames(names []entryName) bool {
	return f.tell(func() {
		for _, n := range names {
			if d := f.find(n.dir); d != nil {
				d.forget(n.name)
			}
		}
	})
}

// ContentChanged makes the kernel forget the pages of files of a version, also of those that
// were closed. Never blocks; may be called at any time, as forgetNames.
func (f *FS) ContentChanged(version blockstore.Key) {
	for _, n := range f.nodesOf(version) {
		n.forget(format.Range{Start: 0, End: fileEnd})
	}
}

// find is the directory at path; nil when the kernel does not know it.
func (f *FS) find(path string) *dirNode {
	at := f.root
	for _, name := range splitPath(path) {
		child := at.GetChild(name)
		if child == nil {
			return nil
		}
		below, ok := child.Operations().(*dirNode)
		if !ok {
			return nil
		}
		at = below
	}
	return at
}
