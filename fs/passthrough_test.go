package fs

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// shownTarget is a file system and one of its nodes, whose target is complete and
// verified, and the version of it.
func shownTarget(t *testing.T) (*fileNode, *target.Target, *blockstore.Version) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 1024)
	b, err := format.NewBuilder(format.BuilderOptions{BlockSize: 4096, Filename: "t", URLs: []string{"t"}})
	must(err)
	b.Write(data)
	var control bytes.Buffer
	_, err = b.WriteTo(&control)
	must(err)
	srv := rangetest.New()
	must(srv.Start())
	t.Cleanup(srv.Stop)
	srv.Put("/t", data)
	srv.Put("/t.zsync", control.Bytes())
	u, err := url.Parse(srv.URL("/t.zsync"))
	must(err)
	client, err := zsyncclient.New(zsyncclient.Options{Origins: []*url.URL{u}})
	must(err)
	t.Cleanup(client.Close)
	store, err := blockstore.Open(t.TempDir(), blockstore.Options{})
	must(err)
	t.Cleanup(func() { store.Close() })
	pool := target.NewPool(store, client, target.Options{})
	t.Cleanup(func() { pool.Close() })
	a := archive.NewIndex(&listing.Listing{}, nil, archive.Options{})
	f := New(a, pool, Options{StackDepth: 1})
	t.Cleanup(func() {
		f.Close()
		a.Close()
	})
	ctl, err := client.FetchControl(t.Context(), u, zsyncclient.Validators{}, 0)
	must(err)
	tg, err := pool.Open(ctl)
	must(err)
	t.Cleanup(tg.Close)
	if _, err := tg.ReadAt(context.Background(), make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	version, err := store.OpenVersion(ctl.Raw, ctl.Header, blockstore.Place(client.Place(ctl)))
	must(err)
	t.Cleanup(func() { version.Close() })
	must(version.Checkpoint())
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
	if data, retired := n.joinHandles(tg); data != nil || retired || n.isRetired() {
		t.Error("a block is missing, and it is shown")
	}
	n.part()
	if _, err := tg.ReadAt(context.Background(), make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	if err := version.SetState(blockstore.Verified); err != nil {
		t.Fatal(err)
	}
	if err := version.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	for _, first := range []bool{true, false} {
		data, retired := n.joinHandles(tg)
		if data != nil || retired != first || !n.isRetired() {
			t.Errorf("its file is %v; a new node follows: %v, now %v", data, n.isRetired(), retired)
		}
		n.part()
	}
}
