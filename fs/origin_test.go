package fs

import (
	"net/url"
	"testing"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// TestVersionComesFromElsewhere: a node goes on with what a look-up of its name found,
// unless the store has another version for that.
func TestVersionComesFromElsewhere(t *testing.T) {
	src := newSource(t, 16<<10)
	pool := target.NewPool(src.store, src.client, target.Options{})
	t.Cleanup(func() { pool.Close() })
	found := func() *archive.File { // another one each time
		a := archive.NewSingle(src.control, archive.Options{Client: src.client})
		t.Cleanup(a.Close)
		e, err := a.Root().Lookup(t.Context(), "t")
		must(t, err)
		return e.File
	}
	file := found()
	f := New(archive.NewSingle(src.control, archive.Options{}), pool, Options{})
	t.Cleanup(func() {
		f.Close()
		f.archive.Close()
	})
	fusefs.NewNodeFS(f.root, &fusefs.Options{})
	fetched, err := src.client.FetchControl(t.Context(), src.control, zsyncclient.Validators{}, 0)
	must(t, err)
	at := func(ref string) *zsyncclient.Control {
		ctl := *fetched
		ctl.URL = src.control.ResolveReference(&url.URL{Path: "t.zsync", RawQuery: ref})
		return &ctl
	}
	look := func(file *archive.File, ctl *zsyncclient.Control) *fileNode {
		in := f.root.version(t.Context(), "t", file, ctl)
		f.root.AddChild("t", in, true)
		return in.Operations().(*fileNode)
	}
	n := look(file, at("s=1"))
	first := n.origin.Load()
	if look(file, at("s=1")) != n || n.origin.Load() != first {
		t.Error("a look-up that found nothing new made something")
	}
	for _, tt := range []struct {
		file *archive.File
		ctl  *zsyncclient.Control
	}{{file, at("s=2")}, {found(), at("s=2")}} {
		if look(tt.file, tt.ctl) != n || n.file() != tt.file || n.control().URL.String() != tt.ctl.URL.String() {
			t.Errorf("%+v, not %+v", n.origin.Load(), tt)
		}
	}
	moved := at("")
	moved.URL = src.control.ResolveReference(&url.URL{Path: "other/t.zsync"})
	other := look(file, moved)
	if other == n || n.file() == file {
		t.Error("a version of another place is the same node")
	}
	if a, b := n.StableAttr(), other.StableAttr(); a.Ino != b.Ino || a.Gen == b.Gen {
		t.Errorf("%v is followed by %v", a, b)
	}

	// The first is open still when the kernel has forgotten the other, and comes back.
	f.opened(pool.VersionKey(n.control()), n)
	f.root.RmChild("t")
	back := found()
	if look(back, at("s=3")) != n || n.file() != back {
		t.Error("a version that is open still is another node, or is not renewed")
	}
	f.root.RmChild("t")
	f.forgotten(pool.VersionKey(n.control()), n)
	if again := look(back, at("s=3")); again == n || again.StableAttr().Gen == n.StableAttr().Gen {
		t.Error("a node that may be of before comes back")
	}
}
