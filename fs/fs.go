package fs

import (
	"sync"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
)

// FS is one archive as a file system. Safe for concurrent use.
type FS struct {
	archive *archive.Archive
	pool    *target.Pool
	options Options
	faults  *faultLog
	started time.Time
	root    *dirNode

	notices chan func() // for the worker that notifies the kernel
	worker  sync.WaitGroup

	mu     sync.Mutex
	open   map[*target.Target]map[*fileNode]int // guarded by mu: handles
	closed bool                                 // guarded by mu
}

// New shows a's directories; the artifacts' bytes are read through pool.
// Close must be called after the unmount.
func New(a *archive.Archive, pool *target.Pool, o Options) *FS {
	o = o.withDefaults()
	f := &FS{
		archive: a,
		pool:    pool,
		options: o,
		faults:  newFaultLog(o.Log),
		started: time.Now(),
		notices: make(chan func(), 1024),
		open:    map[*target.Target]map[*fileNode]int{},
	}
	f.root = &dirNode{fs: f, dir: a.Root()}
	f.worker.Add(1)
	go f.notify()
	return f
}

// Root is the root node.
func (f *FS) Root() fusefs.InodeEmbedder { return f.root }

// notify sends what the kernel must be told, one after the other.
func (f *FS) notify() {
	defer f.worker.Done()
	for notice := range f.notices {
		notice()
	}
}

// tell hands a notice to the worker. When too many wait it is dropped: the
// kernel asks again when its time for the name is over.
func (f *FS) tell(notice func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	select {
	case f.notices <- notice:
	default:
	}
}

// EntryChanged makes the kernel forget name in the directory at dir ("" is the
// root). Never blocks.
func (f *FS) EntryChanged(dir, name string) {
	f.tell(func() {
		if d := f.find(dir); d != nil {
			d.NotifyEntry(name)
		}
	})
}

// ContentChanged makes the kernel forget the pages of t. Never blocks.
func (f *FS) ContentChanged(t *target.Target) {
	f.mu.Lock()
	var nodes []*fileNode
	for n := range f.open[t] {
		nodes = append(nodes, n)
	}
	f.mu.Unlock()
	for _, n := range nodes {
		f.tell(func() { n.NotifyContent(0, 0) })
	}
}

// find is the inode of the directory at path as far as the kernel knows it.
func (f *FS) find(path string) *fusefs.Inode {
	at := f.root.EmbeddedInode()
	for _, name := range splitPath(path) {
		if at = at.GetChild(name); at == nil {
			return nil
		}
	}
	return at
}

// Close ends the worker. The file system must be unmounted.
func (f *FS) Close() {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.notices)
	}
	f.mu.Unlock()
	f.worker.Wait()
}

// opened and released count the handles of a target by node.
func (f *FS) opened(t *target.Target, n *fileNode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[t] == nil {
		f.open[t] = map[*fileNode]int{}
	}
	f.open[t][n]++
}

func (f *FS) released(t *target.Target, n *fileNode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[t][n]--; f.open[t][n] <= 0 {
		delete(f.open[t], n)
	}
	if len(f.open[t]) == 0 {
		delete(f.open, t)
	}
}
