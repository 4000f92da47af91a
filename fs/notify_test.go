package fs

import (
	"fmt"
	"sync"
	"testing"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// kernel stands in for the kernel's side of a mount: it is told the notices.
type kernel struct {
	fusefs.ServerCallbacks // any other call panics
	told                   chan string
}

func (k *kernel) EntryNotify(parent uint64, name string) fuse.Status {
	k.told <- fmt.Sprintf("entry %s of %d", name, parent)
	return fuse.OK
}

func (k *kernel) InodeNotify(node uint64, off, length int64) fuse.Status {
	k.told <- fmt.Sprintf("content of %d from %d, %d", node, off, length)
	return fuse.OK
}

// newTestFS is a file system of an empty archive, with a file of a version that is open.
func newTestFS(t *testing.T) (*FS, *fileNode, blockstore.Key) {
	t.Helper()
	a := archive.NewIndex(&listing.Listing{}, nil, archive.Options{})
	f := New(a, nil, Options{})
	t.Cleanup(func() {
		f.Close()
		a.Close()
	})
	file, version := newFileNode(f, nil, control("x")), blockstore.Key{1}
	file.direct.handles, file.direct.version = 1, version
	f.opened(version, file)
	return f, file, version
}

// connect does what go-fuse does with the root while it mounts.
func (k *kernel) connect(t *testing.T, f *FS, file *fileNode) {
	t.Helper()
	fusefs.NewNodeFS(f.root, &fusefs.Options{ServerCallbacks: k})
	child := f.root.NewPersistentInode(t.Context(), file, fusefs.StableAttr{Mode: fuse.S_IFREG, Ino: 7})
	f.root.AddChild("open", child, true)
}

// closed closes f, and hears what is told until then.
func (k *kernel) closed(f *FS) {
	ended := make(chan struct{})
	go func() { defer close(ended); f.Close() }()
	for {
		select {
		case <-k.told:
		case <-ended:
			return
		}
	}
}

func (f *FS) forgetName(dir, name string) bool { return f.forgetNames([]entryName{{dir, name}}) }

func changeAll(f *FS, version blockstore.Key) {
	f.forgetName("", "name")
	f.forgetName("unknown/dir", "name")
	f.ContentChanged(version)
}

func TestNoticesOnlyWhileAttached(t *testing.T) {
	f, file, version := newTestFS(t)
	k := &kernel{told: make(chan string, 100)}
	changeAll(f, version) // the root has no server: these would crash
	k.connect(t, f, file)
	changeAll(f, version) // it has one, but the kernel is not answered yet
	f.attach()
	changeAll(f, version)
	for _, want := range []string{"entry name of 1", "content of 2 from 0, 0"} {
		if got := <-k.told; got != want {
			t.Errorf("the kernel was told %q, want %q", got, want)
		}
	}
	f.detach()
	changeAll(f, version)
	f.Close() // the worker has done what there was
	changeAll(f, version)
	if len(k.told) != 0 {
		t.Errorf("the kernel was told %q besides", <-k.told)
	}
}

// TestNoticesWhileMounting: changes come all the time, from several goroutines,
// while the mount is made and taken away. The race detector looks on.
func TestNoticesWhileMounting(t *testing.T) {
	for range 20 {
		f, file, version := newTestFS(t)
		k := &kernel{told: make(chan string)}
		stop, begun := make(chan struct{}), make(chan struct{}, 2)
		var changing sync.WaitGroup
		for range cap(begun) {
			changing.Go(func() {
				for {
					changeAll(f, version)
					select {
					case begun <- struct{}{}:
					default:
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		<-begun
		k.connect(t, f, file)
		f.attach()
		for range 10 {
			<-k.told
		}
		f.detach()
		k.closed(f)
		close(stop)
		changing.Wait()
	}
}
