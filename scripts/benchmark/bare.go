package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// bareFUSE is a mount that answers reads from a local file and does nothing else: no
// program that answers by FUSE, with the same library, can be faster. How far it is
// from the local file is what the way to a daemon and back costs on this machine.
var bareFUSE = &tool{name: "bare FUSE", limit: true, mount: mountBare(bareAnswers)}

// barePassthrough is a mount whose file the kernel reads by itself, and that answers
// nothing: how far it is from the local file is what passthrough costs on this machine.
var barePassthrough = &tool{name: "bare passthrough", limit: true, mount: mountBare(bareShows)}

// bareAnswers and bareShows are the first argument of this program as the daemon of such
// a mount; the path of the file, its name there and the mount point follow.
const (
	bareAnswers = "serve-bare"
	bareShows   = "serve-bare-passthrough"
)

// mountBare mounts a folder that has the file name: that of the block store in the cache
// folder where there is one, and else that of the web server's folder.
func mountBare(command string) func(b *bench, _, name, dir, cache string) (int, error) {
	return func(b *bench, _, name, dir, cache string) (int, error) {
		self, err := os.Executable()
		if err != nil {
			return 0, err
		}
		path := b.original(name)
		if stored, err := storedFile(cache); err == nil {
			path = stored
		}
		return b.mountForeground(dir, self, command, path, name, dir)
	}
}

// serveBare is the daemon of a mount on dir whose file name is that at path: it returns
// when the mount is gone.
func serveBare(path, name, dir string, passthrough bool) error {
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
		MountOptions: fuse.MountOptions{MaxBackground: 4096, MaxWrite: 1 << 20, DisableSplice: true, MaxStackDepth: 1, FsName: "bare", Name: "bare"},
		OnAdd: func(ctx context.Context) {
			node := root.NewPersistentInode(ctx, &bareFile{f: f, size: info.Size(), shown: passthrough}, fusefs.StableAttr{Mode: syscall.S_IFREG})
			root.AddChild(name, node, true)
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
	f     *os.File
	size  int64
	shown bool // the kernel reads f by itself
}

var (
	_ fusefs.NodeGetattrer = (*bareFile)(nil)
	_ fusefs.NodeOpener    = (*bareFile)(nil)
	_ fusefs.NodeReader    = (*bareFile)(nil)

	_ fusefs.FilePassthroughFder = (*shownHandle)(nil)
)

// shownHandle has the kernel read the file.
type shownHandle struct{ f *os.File }

func (h *shownHandle) PassthroughFd() (fd int, ok bool) { return int(h.f.Fd()), true }

func (n *bareFile) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o444, uint64(n.size)
	out.SetTimeout(time.Hour)
	return 0
}

func (n *bareFile) Open(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if n.shown {
		return &shownHandle{n.f}, 0, 0
	}
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Read gives the bytes from off on; less only at the end of the file. Of a file that the
// kernel should read it gives none, so that a kernel which does not is noticed.
func (n *bareFile) Read(_ context.Context, _ fusefs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if n.shown {
		return nil, syscall.EIO
	}
	got, err := n.f.ReadAt(dest, off)
	if got == 0 && err != nil && off < n.size {
		return nil, fusefs.ToErrno(err)
	}
	return fuse.ReadResultData(dest[:got]), 0
}
