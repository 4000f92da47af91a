package fs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// fileNode is one version of an artifact.
type fileNode struct {
	fusefs.Inode
	fs     *FS
	origin atomic.Pointer[origin]

	opened  atomic.Bool // it was, once: records that came along are in the store
	doubt   doubt
	late    lateReads
	pending pendingReads

	direct direct
}

func newFileNode(f *FS, file *archive.File, ctl *zsyncclient.Control) *fileNode {
	n := &fileNode{fs: f}
	n.origin.Store(&origin{file, keep(ctl)})
	return n
}

var (
	_ fusefs.NodeOpener      = (*fileNode)(nil)
	_ fusefs.NodeGetattrer   = (*fileNode)(nil)
	_ fusefs.NodeGetxattrer  = (*fileNode)(nil)
	_ fusefs.NodeListxattrer = (*fileNode)(nil)
	_ fusefs.NodeOnForgetter = (*fileNode)(nil)
)

// Open opens the version for reading; it makes no request.
func (n *fileNode) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	from := n.origin.Load()
	ctl := from.kept.control()
	if !n.opened.Swap(true) {
		ctl.Records = from.file.FirstRecords(ctl)
	}
	t, err := n.fs.pool.Open(ctl)
	if err != nil {
		return nil, 0, n.fs.faults.fault(ctx, "open", n.path(), err)
	}
	h := &handle{node: n, data: n.join(t), unpaged: flags&syscall.O_DIRECT != 0, reader: readerKey{path: n.path(), url: zsyncclient.Redact(ctl.URL)}}
	if caller, ok := fuse.FromContext(ctx); ok {
		h.reader.pid = caller.Pid
	}
	h.reading.Store(&reading{t, t.NewReader()})
	n.fs.came(h.reader)
	return h, fuse.FOPEN_KEEP_CACHE, 0
}

// OnForget is called when the kernel has no pages of n any more, unless n has been opened
// anew meanwhile.
func (n *fileNode) OnForget() {
	n.direct.mu.Lock()
	defer n.direct.mu.Unlock()
	if n.direct.handles == 0 {
		n.fs.forgotten(n.direct.version, n)
	}
}

// Getattr answers from the header.
func (n *fileNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fs.fileAttr(n.path(), n.control(), &out.Attr)
	out.SetTimeout(attrTimeout)
	return 0
}

// handle is an open file.
type handle struct {
	node    *fileNode
	reading atomic.Pointer[reading]
	data    *blockstore.Data // that the kernel is to read by itself; nil: none
	unpaged bool             // the kernel keeps no pages of what it reads: O_DIRECT
	reader  readerKey

	renewing sync.Mutex       // held while reading is replaced
	past     []*target.Target // guarded by renewing: what it was before
}

// reading is what a handle reads from.
type reading struct {
	target *target.Target
	reader *target.Reader
}

var (
	_ fusefs.FileReader          = (*handle)(nil)
	_ fusefs.FileReleaser        = (*handle)(nil)
	_ fusefs.FilePassthroughFder = (*handle)(nil)
)

// Read fills dest from byte off on; less only at the end of the file.
func (h *handle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if h.data != nil {
		h.node.fs.endPassthrough()
	}
	n, done, err := h.reading.Load().reader.ReadLocal(dest, off)
	if !done || errors.Is(err, target.ErrOtherRecords) || errors.Is(err, target.ErrSuspect) {
		if code := h.node.late.again(off); code != 0 {
			return nil, code
		}
		began := time.Now()
		if !h.unpaged {
			defer h.node.endRead(h.node.beginRead(off, len(dest)))
		}
		n, err = h.readRemote(ctx, dest, off)
		h.node.fs.counts.readWaited(n, began)
	} else {
		h.node.fs.counts.readLocal(n)
	}
	if code := errno(err); code != 0 {
		h.node.fs.counts.readFailed(h.node.path(), err)
		return nil, h.fault(ctx, off, err)
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// fault is the errno of a read at off that failed.
func (h *handle) fault(ctx context.Context, off int64, err error) syscall.Errno {
	return h.node.fs.faults.fault(ctx, "read at "+formatOffset(off), h.node.path(), err)
}

func (h *handle) readRemote(ctx context.Context, dest []byte, off int64) (int, error) {
	began := time.Now()
	ctx, cancel := requestContext(ctx, h.reading.Load().target.Patience(h.node.fs.readDeadline()))
	defer cancel()
	until, goesOn := h.node.late.goesOn(off)
	if goesOn {
		ctx, cancel = context.WithDeadlineCause(ctx, until, errGoesOn)
		defer cancel()
	}
	for {
		from := h.reading.Load()
		n, err := h.node.undoubted(ctx, func() (int, error) { return from.reader.ReadRemote(ctx, dest, off) })
		if errors.Is(err, target.ErrOtherRecords) && ctx.Err() == nil && h.renew(from) == nil {
			continue
		}
		took := time.Since(began)
		switch code := errno(err); {
		case code == 0:
			h.node.late.came(off)
		case isLate(ctx, err), ctx.Err() == nil && took > lateLeast:
			h.node.late.note(off, len(dest), goesOn, code)
		case ctx.Err() == nil && took > promptly:
			h.node.late.noteFailed(off, len(dest), began, code)
		}
		return n, err
	}
}

// renewLimit is how often a handle may be given another target of its version. What it
// had before stays until it is closed.
const renewLimit = 16

var errRenewed = errors.New("the records of the control file change again and again")

// renew has h read the version anew, because what was here of it, which h read from, was
// thrown away: its records were not the server's. Errors: those of Pool.Open.
func (h *handle) renew(from *reading) error {
	h.renewing.Lock()
	defer h.renewing.Unlock()
	if h.reading.Load() != from {
		return nil
	}
	if len(h.past) == renewLimit {
		return errRenewed
	}
	now := h.node.origin.Load()
	now.file.ForgetRecords()
	t, err := h.node.fs.pool.Open(now.kept.control())
	if err != nil {
		return err
	}
	h.past = append(h.past, from.target)
	h.reading.Store(&reading{t, t.NewReader()})
	return nil
}

// Release gives the targets back.
func (h *handle) Release(context.Context) syscall.Errno {
	h.node.part()
	h.node.fs.went(h.reader)
	h.renewing.Lock()
	defer h.renewing.Unlock()
	for _, t := range append(h.past, h.reading.Load().target) {
		t.Close()
	}
	return 0
}
