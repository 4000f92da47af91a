package fs

import (
	"sync"
	"sync/atomic"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
)

// FS is one archive as a file system. Safe for concurrent use.
type FS struct {
	archive *archive.Archive
	pool    *target.Pool
	options Options // of Refresh and ReadDeadline the first values
	times   atomic.Pointer[times]
	faults  *faultLog
	started time.Time
	root    *dirNode

	passthrough atomic.Bool // the kernel reads complete versions by itself, as far as is known

	counts counts

	generation atomic.Uint64 // of the newest inode
	long       longNames
	gone       goneNames
	notices    chan func() // for the worker that notifies the kernel
	worker     sync.WaitGroup

	mu       sync.Mutex
	nodes    map[blockstore.Key]map[*fileNode]struct{} // guarded by mu: those that were opened
	handles  map[readerKey]int                         // guarded by mu: by who has them
	attached bool                                      // guarded by mu: the kernel can be notified
	closed   bool                                      // guarded by mu
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
		nodes:   map[blockstore.Key]map[*fileNode]struct{}{},
		handles: map[readerKey]int{},
	}
	f.SetTimes(o.Refresh, o.ReadDeadline)
	f.passthrough.Store(o.StackDepth > 0)
	f.root = newDirNode(f, a.Root())
	f.worker.Add(1)
	go f.notify()
	return f
}

// Root is the root node.
func (f *FS) Root() fusefs.InodeEmbedder { return f.root }

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

// opened takes in that a node of a version was opened: until it is forgotten the kernel
// may have pages of it, also without a handle.
func (f *FS) opened(version blockstore.Key, n *fileNode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.nodes[version] == nil {
		f.nodes[version] = map[*fileNode]struct{}{}
	}
	f.nodes[version][n] = struct{}{}
}

// forgotten is called when the kernel has forgotten a node of a version.
func (f *FS) forgotten(version blockstore.Key, n *fileNode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.nodes[version], n)
	if len(f.nodes[version]) == 0 {
		delete(f.nodes, version)
	}
}

// nodesOf are the nodes of a version that were opened and not forgotten.
func (f *FS) nodesOf(version blockstore.Key) (out []*fileNode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range f.nodes[version] {
		out = append(out, n)
	}
	return out
}
