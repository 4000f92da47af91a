package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// bareFUSE is a mount that answers reads from a local file and does nothing else: no
// program that answers by FUSE, with the same library, can be faster. How far it is
// from the local file is what the way to a daemon and back costs on this machine.
var bareFUSE = &tool{name: "bare FUSE", limit: true, mount: mountBare}

// bareCommand is the first argument of this program as the daemon of such a mount; the
// path of the file and the mount point follow.
const bareCommand = "serve-bare"

// mountBare mounts a folder that has the file name of the web server's folder.
func mountBare(b *bench, _, name, dir, _ string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	return b.mountForeground(dir, self, bareCommand, b.original(name), dir)
}

// serveBare is the daemon: it returns when the mount is gone.
func serveBare(path, dir string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	root := &fusefs.Inode{}
	server, err := fusefs.Mount(dir, root, &fusefs.Options{
		// As zsyncfs mounts (package fs).
		MountOptions: fuse.MountOptions{MaxBackground: 4096, MaxWrite: 1 << 20, DisableSplice: true, FsName: "bare", Name: "bare"},
		OnAdd: func(ctx context.Context) {
			node := root.NewPersistentInode(ctx, &bareFile{f: f, size: info.Size()}, fusefs.StableAttr{Mode: syscall.S_IFREG})
			root.AddChild(filepath.Base(path), node, true)
		},
	})
	if err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	server.Wait()
	return nil
}

// bareFile is the file of such a mount.
type bareFile struct {
	fusefs.Inode
	f    *os.File
	size int64
}

var (
	_ fusefs.NodeGetattrer = (*bareFile)(nil)
	_ fusefs.NodeOpener    = (*bareFile)(nil)
	_ fusefs.NodeReader    = (*bareFile)(nil)
)

func (n *bareFile) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o444, uint64(n.size)
	out.SetTimeout(time.Hour)
	return 0
}

func (n *bareFile) Open(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Read gives the bytes from off on; less only at the end of the file.
func (n *bareFile) Read(_ context.Context, _ fusefs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	got, err := n.f.ReadAt(dest, off)
	if got == 0 && err != nil && off < n.size {
		return nil, fusefs.ToErrno(err)
	}
	return fuse.ReadResultData(dest[:got]), 0
}
