package fs

import (
	"errors"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/fs/target"
)

// dataLingers is how long the file that the kernel reads is kept after the last handle:
// go-fuse takes it from the kernel only after Release has returned, and gives it to
// whoever opens the node before that.
const dataLingers = 20 * time.Millisecond

// direct is how the handles of one node are read: all by the kernel (passthrough),
// from the file that the first of them opened, or none. The kernel refuses an open
// that would mix the two, so what the first handle began holds until the last one is
// closed. A node whose handles were ever read here stays with that: go-fuse, which ends
// a handle after Release has returned, would take its file from one that the kernel
// has just been given, and the open would fail. Handles that are wanted of a version
// that has become complete since get another node.
type direct struct {
	mu      sync.Mutex
	handles int              // guarded by mu
	version blockstore.Key   // guarded by mu; what they read, once there was one
	data    *blockstore.Data // guarded by mu; nil: reads come here
	ending  *time.Timer      // guarded by mu; set while data is kept without a handle
	answers bool             // guarded by mu: some handle was read here
	retired bool             // guarded by mu: look-ups find another node
}

// join counts a new handle of n on t, and returns the file that the kernel is to read
// for it; nil when reads are to come here.
func (n *fileNode) join(t *target.Target) *blockstore.Data {
	d := &n.direct
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handles++
	d.version = t.Key()
	n.fs.opened(d.version, n)
	if !n.fs.passthrough.Load() {
		return nil
	}
	if d.keep() {
		n.fs.worker.Done()
	}
	switch {
	case d.handles > 1 || d.data != nil:
	case !d.answers:
		var err error
		if d.data, err = t.Show(); err != nil && !errors.Is(err, target.ErrNotShown) {
			n.fs.options.Log(n.path(), err)
		}
	case !d.retired && t.CanShow():
		d.retired = true
	}
	d.answers = d.answers || d.data == nil
	return d.data
}

// keep has data stay; it says whether its end was due. d.mu is held.
func (d *direct) keep() bool {
	ending := d.ending
	d.ending = nil
	return ending != nil && ending.Stop()
}

// part ends a handle.
func (n *fileNode) part() {
	n.direct.mu.Lock()
	defer n.direct.mu.Unlock()
	if n.direct.handles--; n.direct.handles > 0 || n.direct.data == nil {
		return
	}
	n.fs.worker.Add(1)
	var ending *time.Timer
	ending = time.AfterFunc(dataLingers, func() {
		defer n.fs.worker.Done()
		if n.endDirect(&ending) {
			n.fs.pool.Unshown()
		}
	})
	n.direct.ending = ending
}

// endDirect closes the file that the kernel read, unless *ending, whose time has come,
// was given up. It says whether it did.
func (n *fileNode) endDirect(ending **time.Timer) bool {
	n.direct.mu.Lock()
	defer n.direct.mu.Unlock()
	if n.direct.ending != *ending {
		return false
	}
	n.direct.data.Close()
	n.direct.data, n.direct.ending = nil, nil
	return true
}

// isDirect says whether the kernel reads the open handles of n by itself.
func (n *fileNode) isDirect() bool {
	n.direct.mu.Lock()
	defer n.direct.mu.Unlock()
	return n.direct.handles > 0 && n.direct.data != nil && n.fs.passthrough.Load()
}

// retire has look-ups find another node if handles of n are open whose reads come here.
func (n *fileNode) retire() {
	n.direct.mu.Lock()
	defer n.direct.mu.Unlock()
	if n.direct.handles > 0 && n.direct.data == nil {
		n.direct.retired = true
	}
}

func (n *fileNode) isRetired() bool {
	n.direct.mu.Lock()
	defer n.direct.mu.Unlock()
	return n.direct.retired
}

// Showable has new handles of t read by the kernel, also while others are open, when it
// has asked for their names again. Never blocks; may be called at any time, as ContentChanged.
func (f *FS) Showable(t *target.Target) {
	if !f.passthrough.Load() {
		return
	}
	for _, n := range f.nodesOf(t.Key()) {
		n.retire()
	}
}

// endPassthrough is called when the kernel asks for what it was given to read: it
// refused, for want of rights or because it cannot, and go-fuse does not try again.
func (f *FS) endPassthrough() { f.passthrough.Store(false) }

// PassthroughFd is go-fuse's question for the file to read.
func (h *handle) PassthroughFd() (fd int, ok bool) {
	if h.data == nil {
		return 0, false
	}
	return int(h.data.Fd()), true
}
