package fs

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// A notice that makes the kernel forget a name of a directory (gone.go, long.go) waits, in
// the kernel, for look-ups and listings there that have no answer yet, and one about pages
// for their reads. A process that is killed while its notice waits so never ends: its
// thread stays in the kernel, the device stays open, and the requests it waits for are
// never answered, so that their programs cannot be killed either. So notices wait here,
// until no such request is under way.

// maxDue is how many names of a directory may wait to be forgotten. More are not kept
// waiting: a name may hold 64 KiB.
const maxDue = 256

// noticePause is how long nobody may have asked about a directory before a notice: of
// programs that want the same name the kernel lets one ask after the other, and the others
// are as much in a notice's way.
const noticePause = 10 * time.Millisecond

// nameNotices are the names of a directory that the kernel is to forget. The zero value
// is ready. Safe for concurrent use.
type nameNotices struct {
	mu       sync.Mutex
	requests int                 // look-ups and listings under way; guarded by mu
	last     time.Time           // when one ended last; guarded by mu
	due      map[string]struct{} // guarded by mu
	told     bool                // forgetDue is going to be called; guarded by mu
}

// begin notes that a look-up or a listing of d is under way, until end.
func (d *dirNode) begin() {
	d.notices.mu.Lock()
	defer d.notices.mu.Unlock()
	d.notices.requests++
}

func (d *dirNode) end() {
	n := &d.notices
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests--
	n.last = time.Now()
	d.arm()
}

// arm has forgetDue called when it may be quiet, if something waits for that. It needs
// notices.mu.
func (d *dirNode) arm() {
	n := &d.notices
	if n.requests > 0 || len(n.due) == 0 || n.told {
		return
	}
	n.told = true
	time.AfterFunc(noticePause-time.Since(n.last), func() { d.fs.insist(d.forgetDue) })
}

// forget makes the kernel forget name as soon as nobody asks about d. For the worker only.
func (d *dirNode) forget(name string) {
	d.notices.mu.Lock()
	if d.notices.due == nil {
		d.notices.due = map[string]struct{}{}
	}
	d.notices.due[name] = struct{}{}
	d.notices.mu.Unlock()
	d.forgetNow()
}

// forgetDue is forgetNow, when end asked for it. For the worker only.
func (d *dirNode) forgetDue() {
	d.notices.mu.Lock()
	d.notices.told = false
	d.notices.mu.Unlock()
	d.forgetNow()
}

// forgetNow makes the kernel forget the names that wait, as long as nobody asks about d.
// For the worker only.
func (d *dirNode) forgetNow() {
	for {
		name, ok := d.takeDue()
		if !ok {
			return
		}
		d.NotifyEntry(name)
	}
}

// takeDue is a name to be forgotten now; false when there is none, or it has to wait.
func (d *dirNode) takeDue() (string, bool) {
	n := &d.notices
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.due) <= maxDue && (n.requests > 0 || time.Since(n.last) < noticePause) {
		d.arm()
		return "", false
	}
	for name := range n.due {
		delete(n.due, name)
		return name, true
	}
	return "", false
}

// pendingReads are the reads of a version that may wait for a server, and what the kernel
// is to forget of its pages. The zero value is ready. Safe for concurrent use.
type pendingReads struct {
	mu   sync.Mutex
	all  map[*pendingRead]struct{} // guarded by mu
	due  []format.Range            // guarded by mu
	told bool                      // forgetDue is going to be called; guarded by mu
}

type pendingRead struct {
	format.Range
	stale bool // what it brings is to be forgotten; guarded by pendingReads.mu
}

// fileEnd is behind every page.
const fileEnd = math.MaxInt64

// beginRead notes that a read of length bytes from off on is under way, for which the
// kernel holds pages, until endRead.
func (n *fileNode) beginRead(off int64, length int) *pendingRead {
	n.pending.mu.Lock()
	defer n.pending.mu.Unlock()
	if n.pending.all == nil {
		n.pending.all = map[*pendingRead]struct{}{}
	}
	r := &pendingRead{Range: format.Range{Start: off, End: off + int64(length)}}
	n.pending.all[r] = struct{}{}
	return r
}

func (n *fileNode) endRead(r *pendingRead) {
	n.pending.mu.Lock()
	delete(n.pending.all, r)
	stale := r.stale
	n.pending.mu.Unlock()
	if stale {
		n.forget(r.Range)
	}
}

// forget makes the kernel forget the pages of r. Never blocks.
func (n *fileNode) forget(r format.Range) {
	p := &n.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	covers := func(due format.Range) bool { return due.Start <= r.Start && r.End <= due.End }
	if !slices.ContainsFunc(p.due, covers) {
		p.due = append(p.due, r)
	}
	if !p.told && n.fs.listens() {
		p.told = true
		n.fs.insist(n.forgetDue)
	}
}

// forgetDue makes the kernel forget what is due; pages that a read under way brings, when
// it has ended. For the worker only.
func (n *fileNode) forgetDue() {
	n.pending.mu.Lock()
	due := n.pending.due
	n.pending.due, n.pending.told = nil, false
	n.pending.mu.Unlock()
	for _, r := range due {
		n.forgetPages(r)
	}
}

func (n *fileNode) forgetPages(r format.Range) {
	for _, read := range n.pending.spoil(r) {
		if r.Start < read.Start {
			n.NotifyContent(r.Start, read.Start-r.Start)
		}
		r.Start = max(r.Start, read.End)
	}
	switch {
	case r.End == fileEnd:
		n.NotifyContent(r.Start, 0)
	case r.Start < r.End:
		n.NotifyContent(r.Start, r.Length())
	}
}

// spoil makes the reads that have bytes of r stale. They are in the order of their places.
func (p *pendingReads) spoil(r format.Range) (found []*pendingRead) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for read := range p.all {
		if read.Start < r.End && r.Start < read.End {
			read.stale = true
			found = append(found, read)
		}
	}
	slices.SortFunc(found, func(a, b *pendingRead) int { return cmp.Compare(a.Start, b.Start) })
	return found
}
