package blockstore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

// mapData maps the file of v into memory as a program does that closes it then: the
// kernel's passthrough has such a map refer to this very file.
func mapData(t *testing.T, v *Version, length int) []byte {
	t.Helper()
	must(t, v.Checkpoint())
	data, err := v.ShowData()
	must(t, err)
	m, err := unix.Mmap(int(data.Fd()), 0, length, unix.PROT_READ, unix.MAP_SHARED)
	must(t, err)
	must(t, data.Close())
	return m
}

// TestShowDataWantsDurableBlocks: when a file system ends for good, a kernel that reads
// past its memory gives zeros for what is not on the disk.
func TestShowDataWantsDurableBlocks(t *testing.T) {
	m := makeTarget(t, 1, 50*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	m.fill(t, v)
	if _, err := v.ShowData(); !errors.Is(err, ErrUnchecked) {
		t.Errorf("before a checkpoint: %v", err)
	}
	syncing := make(chan error)
	syncFile = func(f *os.File) error {
		syncFile = fdatasync
		_, err := v.ShowData()
		syncing <- err
		return fdatasync(f)
	}
	defer func() { syncFile = fdatasync }()
	done := make(chan error)
	go func() { done <- v.Checkpoint() }()
	if err := <-syncing; !errors.Is(err, ErrUnchecked) {
		t.Errorf("during a checkpoint: %v", err)
	}
	must(t, <-done)
	data, err := v.ShowData()
	must(t, err)
	must(t, data.Close())
	must(t, v.Close())
}

// TestShowDataWantsCheckedBlocks: the kernel would hand out what is rotten.
func TestShowDataWantsCheckedBlocks(t *testing.T) {
	m := makeTarget(t, 1, 300*1024, 1024)
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	m.fill(t, v)
	must(t, v.Checkpoint())
	data, err := v.ShowData()
	must(t, err)
	got := make([]byte, len(m.data))
	if _, err := data.ReadAt(got, 0); err != nil || !bytes.Equal(got, m.data) {
		t.Errorf("the file's bytes: %v", err)
	}
	must(t, data.Close())
	must(t, v.Close())
	must(t, s.Close())

	s, _ = openStore(t, dir)
	v = m.open(t, s)
	defer v.Close()
	if _, err := v.ShowData(); !errors.Is(err, ErrUnchecked) {
		t.Fatalf("blocks that nobody looked at: %v", err)
	}
	must(t, func() error { _, err := v.ReadAt(make([]byte, 1024), 100*1024); return err }())
	if r := v.Unchecked(0); r != (format.BlockRange{Start: 0, End: 100}) {
		t.Errorf("unchecked: %v", r)
	}
	if r := v.Unchecked(100); r != (format.BlockRange{Start: 101, End: 300}) {
		t.Errorf("unchecked: %v", r)
	}
	m.same(t, v)
	if r := v.Unchecked(0); r.Count() != 0 || !v.IsChecked() {
		t.Errorf("unchecked: %v", r)
	}
	data, err = v.ShowData()
	must(t, err)
	must(t, data.Close())
	must(t, v.parts.data.Truncate(v.header.Length+1))
	if _, err := v.ShowData(); !errors.Is(err, ErrUnchecked) {
		t.Errorf("a file that is too long: %v", err)
	}
	must(t, v.parts.data.Truncate(v.header.Length))
	must(t, v.Forget(format.BlockRange{Start: 5, End: 6}))
	if _, err := v.ShowData(); !errors.Is(err, ErrUnchecked) {
		t.Errorf("a block is missing: %v", err)
	}
}

// TestCheckedWhileClosed: what was checked need not be again when a version is opened
// anew, unless its files were changed.
func TestCheckedWhileClosed(t *testing.T) {
	m := makeTarget(t, 1, 300*1024, 1024)
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	m.fill(t, v)
	must(t, v.Close())
	v = m.open(t, s)
	if !v.IsChecked() {
		t.Error("what was checked is forgotten")
	}
	path := filepath.Join(v.path(), dataName)
	must(t, v.Close())

	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	must(t, func() error { _, err := f.WriteAt([]byte{^m.data[7000]}, 7000); return err }())
	must(t, f.Close())
	v = m.open(t, s)
	defer v.Close()
	if v.IsChecked() {
		t.Error("a file that was changed counts as checked")
	}
	if right := m.checkAll(t, v); right != 299 {
		t.Errorf("%d blocks are right", right)
	}
}

// TestMapOutlivesData: a map of a file that was shown never sees holes, whatever is
// done to make room, and when it is gone the room is given back.
func TestMapOutlivesData(t *testing.T) {
	m := makeTarget(t, 1, 400*4096, 4096)
	next := m.changed(t, 2, 20)
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	m.fill(t, v)
	view := mapData(t, v, len(m.data))
	right := func(when string) {
		t.Helper()
		if !bytes.Equal(view, m.data) {
			t.Fatalf("%s: the map has other bytes", when)
		}
	}
	right("at first")

	v2 := next.open(t, s)
	defer v2.Close()
	must(t, v2.PutControl(next.control, 0))
	if n := shareAligned(t, v2, v, next, m); n < 300 {
		t.Fatalf("%d blocks are shared", n)
	}
	next.putWhole(t, v2)
	if err := v2.Gather(context.Background()); !errors.Is(err, ErrInUse) {
		t.Errorf("Gather: %v", err)
	}
	right("after Gather")
	if err := s.Remove(v.key); !errors.Is(err, ErrInUse) {
		t.Errorf("Remove of an open version: %v", err)
	}
	right("after Remove")
	must(t, func() error { _, err := s.Collect(); return err }())
	right("after Collect")

	must(t, unix.Munmap(view))
	before := dataBytes(t, dir)
	must(t, v2.Gather(context.Background()))
	if v2.Shares() != 0 || v.Shares() == 0 || dataBytes(t, dir) > before+64<<10 {
		t.Errorf("%d and %d blocks shared, %d bytes after %d", v2.Shares(), v.Shares(), dataBytes(t, dir), before)
	}
	m.same(t, v)
	next.same(t, v2)
	must(t, v.Close())
}

// TestRemoveOfAMappedVersion: a version that is closed is removed as a whole, which
// leaves its bytes to who has them in memory, also in the next process.
func TestRemoveOfAMappedVersion(t *testing.T) {
	m := makeTarget(t, 1, 400*4096, 4096)
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	m.fill(t, v)
	view := mapData(t, v, len(m.data))
	defer unix.Munmap(view)
	must(t, v.Close())
	must(t, s.Close())

	s, _ = openStore(t, dir)
	v = m.open(t, s)
	if !s.mapped(v.key) {
		t.Error("the map is not noticed after a restart")
	}
	m.same(t, v)
	must(t, v.Close())
	must(t, s.Remove(v.key))
	if len(s.proofs) > 0 {
		t.Error("what was known of it takes memory still")
	}
	if !bytes.Equal(view, m.data) {
		t.Error("the map has other bytes")
	}
	if n := dataBytes(t, dir); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}

// TestRemoveWhileOpening: a version that is opened while it is being removed is
// looked at again: its bytes are not given back under a map of them.
func TestRemoveWhileOpening(t *testing.T) {
	m := makeTarget(t, 1, 400*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	m.fill(t, v)
	view := mapData(t, v, len(m.data))
	defer unix.Munmap(view)
	must(t, v.Close())

	e := s.lockSlot(v.key) // as OpenVersion, which is loading it now
	removed := make(chan error)
	go func() { removed <- s.Remove(v.key) }()
	users := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return e.users
	}
	for users() < 2 {
		time.Sleep(time.Millisecond)
	}
	v, err := s.loadVersion(v.key, testPlace, m.raw, m.header, e)
	must(t, err)
	e.refs = 1
	e.version.Store(v)
	e.opening.Unlock()
	if err := <-removed; !errors.Is(err, ErrInUse) {
		t.Errorf("Remove: %v", err)
	}
	if !bytes.Equal(view, m.data) {
		t.Error("the map has other bytes")
	}
	m.same(t, v)
	must(t, v.Close())
}

// TestMappedBeforeTheBoot: no map outlives the machine.
func TestMappedBeforeTheBoot(t *testing.T) {
	m := makeTarget(t, 1, 40*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	defer v.Close()
	m.fill(t, v)
	must(t, os.WriteFile(filepath.Join(v.path(), shownName), []byte("another boot\n"), 0o600))
	other, err := os.Open(filepath.Join(v.path(), dataName))
	must(t, err)
	defer other.Close()
	if s.mapped(v.key) {
		t.Error("a file that was shown in another boot counts as shown")
	}
	must(t, os.WriteFile(filepath.Join(v.path(), shownName), bootID(), 0o600))
	if !s.mapped(v.key) {
		t.Error("a file that somebody has open counts as free")
	}
}
