package fs

import (
	"context"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// dirNode is a directory of the archive.
type dirNode struct {
	fusefs.Inode
	fs      *FS
	now     atomic.Pointer[archive.Dir] // of the last look-up
	late    lateNames
	notices nameNotices
}

func newDirNode(f *FS, dir *archive.Dir) *dirNode {
	d := &dirNode{fs: f}
	d.now.Store(dir)
	return d
}

func (d *dirNode) dir() *archive.Dir { return d.now.Load() }

var (
	_ fusefs.NodeLookuper  = (*dirNode)(nil)
	_ fusefs.NodeReaddirer = (*dirNode)(nil)
	_ fusefs.NodeGetattrer = (*dirNode)(nil)
	_ fusefs.NodeStatfser  = (*dirNode)(nil)
)

// Lookup finds name, fetching the artifact's header when it is not known.
func (d *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	if d.late.again(name) {
		return nil, syscall.EIO
	}
	d.begin()
	defer d.end()
	ctx, cancel := requestContext(ctx, d.fs.readDeadline())
	defer cancel()
	dir := d.dir()
	entry, err := dir.Lookup(ctx, name)
	if err != nil {
		return nil, d.fault(ctx, "look up", name, err)
	}
	out.SetAttrTimeout(attrTimeout)
	if entry.Dir != nil {
		out.SetEntryTimeout(d.fs.entryTimeout(dir.Fresh()))
		d.fs.dirAttr(&out.Attr)
		return d.subdir(ctx, name, entry.Dir), 0
	}
	ctl, err := entry.File.Control(ctx)
	if err != nil {
		return nil, d.fault(ctx, "look up", name, err)
	}
	out.SetEntryTimeout(d.fs.entryTimeout(entry.File.Fresh()))
	d.fs.fileAttr(name, ctl, &out.Attr)
	return d.version(ctx, name, entry.File, ctl), 0
}

// fault is the errno of op on name that failed; "" is d itself.
func (d *dirNode) fault(ctx context.Context, op, name string, err error) syscall.Errno {
	code := d.fs.faults.fault(ctx, op, d.path(name), err)
	if isLate(ctx, err) && code == syscall.EIO {
		d.late.note(name)
	}
	return code
}

// nameTimeout is the most that the kernel keeps a name: then it asks again, and gets what
// the archive knows by then. It could keep names for longer and be told of changes; but
// what tells it waits, in the kernel, for look-ups in the directory (quiet.go), and a
// daemon that is killed meanwhile stays there for ever. To ask costs a stat of a name some
// 50 us, once in this time.
const nameTimeout = time.Second

// entryTimeout is how long the kernel may keep a name of which the archive is sure
// for as long as fresh: with what the archive already waited it must not be longer
// than Options.Refresh. One that is not sure is having a look at the server.
func (f *FS) entryTimeout(fresh time.Duration) time.Duration {
	if fresh > 0 {
		return min(fresh, nameTimeout)
	}
	return min(nameTimeout, f.refresh())
}

// subdir is the inode of the directory name: the one that is known, also when the
// directory left the listing and came back since. Another one would have the same
// number, and who has this one open would not see that it is back.
func (d *dirNode) subdir(ctx context.Context, name string, dir *archive.Dir) *fusefs.Inode {
	if known := d.GetChild(name); known != nil {
		if n, ok := known.Operations().(*dirNode); ok {
			n.now.Store(dir)
			return known
		}
	}
	return d.NewInode(ctx, newDirNode(d.fs, dir),
		fusefs.StableAttr{Mode: fuse.S_IFDIR, Ino: inodeNumber(dir.Path(), nil), Gen: d.fs.nextGen()})
}

// nextGen is the generation of a new inode. Without it go-fuse would go on with one of
// the same number that was in this place before, and is still open.
func (f *FS) nextGen() uint64 { return f.generation.Add(1) }

// version is the inode of this version of the artifact name: the one that is known, or
// open still, or a new one. One that was retired, or was of another place, is followed by
// another with the same number.
func (d *dirNode) version(ctx context.Context, name string, file *archive.File, ctl *zsyncclient.Control) *fusefs.Inode {
	number := fileNumber(file.Path(), ctl)
	if known := d.GetChild(name); known != nil && known.StableAttr().Ino == number {
		n, ok := known.Operations().(*fileNode)
		if ok && !n.isRetired() && n.renew(file, ctl) {
			return known
		}
	}
	for _, n := range d.fs.nodesOf(d.fs.pool.VersionKey(ctl)) {
		if n.StableAttr().Ino == number && !n.isRetired() && n.renew(file, ctl) {
			return n.EmbeddedInode()
		}
	}
	d.fs.known(d.dir().Path(), name, int64(len(ctl.Raw)))
	return d.NewInode(ctx, newFileNode(d.fs, file, ctl),
		fusefs.StableAttr{Mode: fuse.S_IFREG, Ino: number, Gen: d.fs.nextGen()})
}

// Readdir lists the names without fetching any header.
func (d *dirNode) Readdir(ctx context.Context) (fusefs.DirStream, syscall.Errno) {
	if d.late.again("") {
		return nil, syscall.EIO
	}
	d.begin()
	defer d.end()
	ctx, cancel := requestContext(ctx, d.fs.readDeadline())
	defer cancel()
	entries, err := d.dir().Entries(ctx)
	if err != nil {
		return nil, d.fault(ctx, "list", "", err)
	}
	list := make([]fuse.DirEntry, 0, len(entries))
	for _, e := range entries {
		list = append(list, d.dirEntry(e))
	}
	return fusefs.NewListDirStream(list), 0
}

func (d *dirNode) dirEntry(e archive.Entry) fuse.DirEntry {
	out := fuse.DirEntry{Name: e.Name, Mode: fuse.S_IFREG}
	if e.Dir != nil {
		out.Mode = fuse.S_IFDIR
	}
	if known := d.GetChild(e.Name); known != nil {
		out.Ino = known.StableAttr().Ino
		return out
	}
	out.Ino = inodeNumber(d.path(e.Name), nil)
	return out
}

// Getattr answers for the directory itself.
func (d *dirNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	d.fs.dirAttr(&out.Attr)
	out.SetTimeout(attrTimeout)
	return 0
}

// Statfs shows the archive as a full, read-only disk: the bytes of all
// artifacts whose header is known, none free.
func (d *dirNode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	const blockSize = 4096
	s := d.fs.archive.Stats()
	out.Bsize, out.Frsize = blockSize, blockSize
	out.Blocks = uint64((s.Bytes + blockSize - 1) / blockSize)
	out.Files = uint64(s.Entries)
	out.NameLen = 255
	return 0
}

// path is the path of name in d, from the mount's root; of d itself for "".
func (d *dirNode) path(name string) string {
	switch dir := d.dir().Path(); {
	case dir == "":
		return name
	case name == "":
		return dir
	default:
		return dir + "/" + name
	}
}

// splitPath cuts a path into its names; none for "".
func splitPath(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}
