package fs

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// shownTarget is a file system and one of its nodes, whose target is complete and
// verified, and the version of it.
func shownTarget(t *testing.T) (*fileNode, *target.Target, *blockstore.Version) {
	t.Helper()
	src := newSource(t, 16<<10)
	pool := target.NewPool(src.store, src.client, target.Options{})
	t.Cleanup(func() { pool.Close() })
	a := archive.NewIndex(&listing.Listing{}, nil, archive.Options{})
	f := New(a, pool, Options{StackDepth: 1})
	t.Cleanup(func() {
		f.Close()
		a.Close()
	})
	ctl, err := src.client.FetchControl(t.Context(), src.control, zsyncclient.Validators{}, 0)
	must(t, err)
	tg, err := pool.Open(ctl)
	must(t, err)
	t.Cleanup(tg.Close)
	if _, err := tg.ReadAt(context.Background(), make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	version, err := src.store.OpenVersion(ctl.Raw, ctl.Header, blockstore.Place(src.client.Place(ctl)))
	must(t, err)
	t.Cleanup(func() { version.Close() })
	must(t, version.Checkpoint())
	return newFileNode(f, nil, ctl), tg, version
}

// TestDataStaysUntilTheKernelGaveItUp: go-fuse gives the kernel the file of the last
// handle again while that is being released, whatever the new handle says.
func TestDataStaysUntilTheKernelGaveItUp(t *testing.T) {
	n, tg, version := shownTarget(t)
	first := n.join(tg)
	if first == nil {
		t.Fatal("it is not shown")
	}
	n.part()
	if n.isDirect() {
		t.Error("nobody has it open")
	}
	if err := version.Forget(format.BlockRange{End: 1}); err != nil {
		t.Fatal(err)
	}
	if second := n.join(tg); second != first {
		t.Errorf("the kernel has a file that the node knows nothing of; it has %v", second)
	}
	time.Sleep(2 * dataLingers)
	if _, err := first.Stat(); err != nil {
		t.Errorf("the file of an open handle: %v", err)
	}
	n.part()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := first.Stat(); errors.Is(err, os.ErrClosed) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the file stays open")
		}
	}
	if n.join(tg) != nil {
		t.Error("a block is missing, and it is shown")
	}
	n.part()
}

// TestNodeThatAnsweredGoesOn: go-fuse may still be about to end a handle that was read
// here; so the kernel gets the file by another node.
func TestNodeThatAnsweredGoesOn(t *testing.T) {
	n, tg, version := shownTarget(t)
	if err := version.Forget(format.BlockRange{End: 1}); err != nil {
		t.Fatal(err)
	}
	if n.join(tg) != nil || n.isRetired() {
		t.Error("a block is missing, and it is shown")
	}
	n.part()
	if _, err := tg.ReadAt(context.Background(), make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	if err := version.SetVerified(version.Losses()); err != nil {
		t.Fatal(err)
	}
	if err := version.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if data := n.join(tg); data != nil || !n.isRetired() {
			t.Errorf("its file is %v; a new node follows: %v", data, n.isRetired())
		}
		n.part()
	}
}
