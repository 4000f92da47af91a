package blockstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

// wholeData are the bytes of v's own file, which it opens, and keeps open until the end
// of the test if keep.
func wholeData(t *testing.T, v *Version, length int, keep bool) []byte {
	t.Helper()
	data, err := v.OpenData(context.Background())
	must(t, err)
	got := make([]byte, length)
	if _, err := io.ReadFull(data, got); err != nil {
		t.Fatal(err)
	}
	if keep {
		t.Cleanup(func() { data.Close() })
	} else {
		must(t, data.Close())
	}
	return got
}

// TestOpenDataOfShared: who wants all of a version in one file gets it while others read
// the files that it shares blocks with, and these stay as they are.
func TestOpenDataOfShared(t *testing.T) {
	m := makeTarget(t, 1, 400*4096, 4096)
	next := m.changed(t, 2, 20)
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	v, v2 := sharing(t, s, m, next)
	shared := v2.Shares()
	next.same(t, v2)
	before := dataBytes(t, dir)

	old, err := v.OpenData(context.Background())
	must(t, err)
	if !bytes.Equal(wholeData(t, v2, len(next.data), true), next.data) {
		t.Error("the new one has other bytes")
	}
	if v2.Shares() != 0 || v.Shares() != 0 {
		t.Errorf("%d and %d blocks are shared", v2.Shares(), v.Shares())
	}
	if n := dataBytes(t, dir) - before - shared*4096; max(n, -n) > 64<<10 {
		t.Errorf("%d bytes more than those of %d blocks are taken twice", n, shared)
	}
	got, err := io.ReadAll(old)
	if err != nil || !bytes.Equal(got, m.data) {
		t.Errorf("the file that was open has %d bytes, %v", len(got), err)
	}
	must(t, old.Close())
	m.same(t, v)
	next.same(t, v2)
	must(t, v.Close())
	must(t, s.Remove(v.Key())) // nobody is thought to refer to it
	next.same(t, v2)
	must(t, v2.Close())
	must(t, s.Close())
	s, _ = openStore(t, dir)
	v2 = next.open(t, s)
	next.same(t, v2)
	must(t, v2.Close())
	nothingOpen(t, s)
}

// TestOpenDataWithoutRoom: blocks that would be there twice do not pass the limit; others
// go for them, and when there are none nothing is lost.
func TestOpenDataWithoutRoom(t *testing.T) {
	m, other := makeTarget(t, 1, 400*4096, 4096), makeTarget(t, 5, 400*4096, 4096)
	next := m.changed(t, 2, 20)
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	v, v2 := sharing(t, s, m, next)
	w := other.open(t, s)
	other.fill(t, w)
	w.Hold()
	must(t, w.Checkpoint())
	v.Hold()
	v2.Hold()
	old, err := v.OpenData(context.Background())
	must(t, err)
	s.SetLimits(Limits{Size: dataBytes(t, dir) + 1<<20})
	if _, err := v2.OpenData(context.Background()); !errors.Is(err, ErrLimit) {
		t.Errorf("without room: %v", err)
	}
	next.same(t, v2)
	m.same(t, v)
	other.same(t, w)
	w.Release()
	must(t, w.Close())
	if !bytes.Equal(wholeData(t, v2, len(next.data), false), next.data) {
		t.Error("the new one has other bytes")
	}
	must(t, old.Close())
	for _, v := range []*Version{v, v2} {
		v.Release()
		must(t, v.Close())
	}
}

// TestOpenDataOfParts: nothing is copied for a version that is not whole.
func TestOpenDataOfParts(t *testing.T) {
	m := makeTarget(t, 1, 400*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	v, v2 := sharing(t, s, m, m.changed(t, 2, 20))
	must(t, v2.Forget(format.BlockRange{Start: 7, End: 8}))
	shared := v2.Shares()
	if _, err := v2.OpenData(context.Background()); !errors.Is(err, ErrUnknownBlock) || v2.Shares() != shared {
		t.Errorf("%v; of %d shared blocks are %d left", err, shared, v2.Shares())
	}
	must(t, v.Close())
	must(t, v2.Close())
}

// TestOpenDataOfSmallBlocks: blocks that are smaller than a page, and scattered, are
// reckoned to take more room than they do.
func TestOpenDataOfSmallBlocks(t *testing.T) {
	const size, count = 512, 6000
	m, other := makeTarget(t, 1, count*size, size), makeTarget(t, 9, count*size, size)
	for b := 0; b < count; b += 2 {
		copy(other.data[b*size:], m.data[b*size:(b+1)*size])
	}
	next := targetOf(t, 2, other.data, size)
	s, _ := openStore(t, t.TempDir())
	v, v2 := sharing(t, s, m, next)
	v.Hold()
	v2.Hold()
	old, err := v.OpenData(context.Background())
	must(t, err)
	s.SetLimits(Limits{Size: s.Stats().DiskBytes + 2<<20})
	if !bytes.Equal(wholeData(t, v2, len(next.data), false), next.data) {
		t.Error("it has other bytes")
	}
	must(t, old.Close())
	v.Release()
	v2.Release()
	must(t, v.Close())
	must(t, v2.Close())
}

// TestRemoveOfMapped: what a program has in memory of a version that goes stays with
// those who share it.
func TestRemoveOfMapped(t *testing.T) {
	m := makeTarget(t, 1, 400*4096, 4096)
	next := m.changed(t, 2, 20)
	s, _ := openStore(t, t.TempDir())
	v, v2 := sharing(t, s, m, next)
	defer v2.Close()
	view := mapData(t, v, len(m.data))
	must(t, v.Close())
	must(t, s.Remove(v.Key()))
	next.same(t, v2)
	if !bytes.Equal(view, m.data) {
		t.Error("the map has other bytes")
	}
	must(t, unix.Munmap(view))
}
