package fs

import (
	"context"
	"strings"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/zsyncfs/zsyncfs/fs/archive"
)

// dirNode is a directory of the archive.
type dirNode struct {
	fusefs.Inode
	fs  *FS
	dir *archive.Dir
}

var (
	_ fusefs.NodeLookuper  = (*dirNode)(nil)
	_ fusefs.NodeReaddirer = (*dirNode)(nil)
	_ fusefs.NodeGetattrer = (*dirNode)(nil)
	_ fusefs.NodeStatfser  = (*dirNode)(nil)
)

// Lookup finds name, fetching the artifact's header when it is not known.
func (d *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	ctx, cancel := requestContext(ctx, d.fs.options.ReadDeadline)
	defer cancel()
	entry, err := d.dir.Lookup(ctx, name)
	if err != nil {
		return nil, d.fs.faults.fault("look up", d.path(name), err)
	}
	out.SetEntryTimeout(d.fs.options.Refresh)
	out.SetAttrTimeout(attrTimeout)
	if entry.Dir != nil {
		d.fs.dirAttr(&out.Attr)
		return d.child(ctx, name, inodeNumber(entry.Dir.Path(), nil), fuse.S_IFDIR,
			func() fusefs.InodeEmbedder { return &dirNode{fs: d.fs, dir: entry.Dir} }), 0
	}
	ctl, err := entry.File.Control(ctx)
	if err != nil {
		return nil, d.fs.faults.fault("look up", d.path(name), err)
	}
	d.fs.fileAttr(ctl, &out.Attr)
	return d.child(ctx, name, fileNumber(entry.File.Path(), ctl), fuse.S_IFREG,
		func() fusefs.InodeEmbedder { return newFileNode(d.fs, entry.File, ctl) }), 0
}

// child is the inode of name with this number: the one that is known, or a new
// one.
func (d *dirNode) child(ctx context.Context, name string, number uint64, mode uint32, make func() fusefs.InodeEmbedder) *fusefs.Inode {
	if known := d.GetChild(name); known != nil && known.StableAttr().Ino == number {
		return known
	}
	return d.NewInode(ctx, make(), fusefs.StableAttr{Mode: mode, Ino: number})
}

// Readdir lists the names without fetching any header.
func (d *dirNode) Readdir(ctx context.Context) (fusefs.DirStream, syscall.Errno) {
	ctx, cancel := requestContext(ctx, d.fs.options.ReadDeadline)
	defer cancel()
	entries, err := d.dir.Entries(ctx)
	if err != nil {
		return nil, d.fs.faults.fault("list", d.path(""), err)
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
	switch dir := d.dir.Path(); {
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
