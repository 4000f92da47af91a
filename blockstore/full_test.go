package blockstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

// smallDisk is a folder on a file system of size bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("needs a small file system, which cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// takeAll has a neighbour's file take what room there is.
func takeAll(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	must(t, err)
	defer f.Close()
	for n := 64 << 10; n > 0; {
		if _, err := f.Write(make([]byte, n)); errors.Is(err, unix.ENOSPC) {
			n /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk has a neighbour fill the disk while the store is used, closed
// and opened: nothing dies, what is here reads right, and once there is room
// all that is new lasts.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, 8<<20)
	dir, neighbour := filepath.Join(disk, "store"), filepath.Join(disk, "neighbour")
	m, other := makeTarget(t, 1, 500*4096, 4096), makeTarget(t, 2, 300*4096, 4096)
	s, w := openStore(t, dir)
	v := m.open(t, s)
	must(t, v.PutControl(m.control, 0))
	must(t, v.Put(0, m.blocks(0, 100)))
	must(t, v.Checkpoint())
	must(t, s.MetaPut("before", []byte("value")))
	s.checkpoint()
	if w.count() != 0 {
		t.Fatalf("warnings: %v", w.all)
	}
	takeAll(t, neighbour)
	for round := range 3 {
		useFull(t, s, v, m, neighbour)
		if _, err := s.OpenVersion(other.raw, other.header, testPlace); err == nil {
			t.Error("a new version could be made")
		} else if !errors.Is(err, ErrFull) {
			t.Errorf("OpenVersion: %v", err)
		}
		if err := v.Close(); err != nil && !errors.Is(err, ErrFull) {
			t.Errorf("round %d: Close of the version: %v", round, err)
		}
		if err := s.Close(); err != nil && !errors.Is(err, ErrFull) {
			t.Errorf("round %d: Close: %v", round, err)
		}
		takeAll(t, neighbour)
		s, w = openStore(t, dir)
		if got := s.Stats().Versions; got < 1 {
			t.Errorf("round %d: %d versions", round, got)
		}
		v = m.open(t, s)
		if n := m.checkAll(t, v); n < 100 {
			t.Errorf("round %d: %d blocks", round, n)
		}
		if p, err := s.MetaGet("before"); string(p) != "value" {
			t.Errorf("round %d: %q, %v", round, p, err)
		}
	}
	useFull(t, s, v, m, neighbour)
	warned := w.count()
	must(t, os.Remove(neighbour))
	must(t, v.Checkpoint())
	if w.count() != warned {
		t.Errorf("warnings: %v", w.all[warned:])
	}
	m.heal(t, v)
	must(t, s.MetaPut("after", []byte("value")))
	must(t, v.Close())
	// As after a kill.
	s.checkpoint()
	to := t.TempDir()
	copyTree(t, dir, to)
	must(t, s.Close())
	s, w = openStore(t, to)
	v = m.open(t, s)
	if n := m.checkAll(t, v); n != 500 || w.count() != 0 {
		t.Errorf("%d blocks, warnings: %v", n, w.all)
	}
	for key, length := range map[string]int{"before": 5, "while 0": 500, "while 49": 500, "large": MaxMetaValue, "after": 5} {
		if p, err := s.MetaGet(key); len(p) != length {
			t.Errorf("%s: %d bytes, %v", key, len(p), err)
		}
	}
	must(t, v.Close())
}

// useFull puts blocks and metadata and asks for checkpoints on a full disk.
func useFull(t *testing.T, s *Store, v *Version, m *target, neighbour string) {
	t.Helper()
	failed := 0
	for i := range format.BlockID(50) {
		b := 100 + 7*i
		if err := v.Put(b, m.blocks(b, b+7)); errors.Is(err, ErrFull) {
			failed++
			if n, _ := v.Known(b, b+7); n == 7 {
				t.Errorf("block %d is here after %v", b, err)
			}
		} else if err != nil {
			t.Errorf("Put: %v", err)
		}
		must(t, s.MetaPut(fmt.Sprint("while ", i), make([]byte, 500)))
		if i%10 == 5 {
			must(t, s.MetaPut("large", make([]byte, MaxMetaValue)))
			takeAll(t, neighbour)
			if err := v.Checkpoint(); err != nil && !errors.Is(err, ErrFull) {
				t.Errorf("Checkpoint: %v", err)
			}
			s.checkpoint()
		}
		got := make([]byte, 100*4096)
		if _, err := v.ReadAt(got, 0); err != nil && err != io.EOF || string(got) != string(m.blocks(0, 100)) {
			t.Fatalf("ReadAt: %v", err)
		}
	}
	if p, err := s.MetaGet("while 49"); len(p) != 500 {
		t.Errorf("MetaGet: %d bytes, %v", len(p), err)
	}
	if failed == 0 {
		t.Error("no Put met the full disk")
	}
}

// TestEvictionOnAFullDisk: a version that is evicted gives its room back also where
// there is none to write that down, and what a crash then leaves has no wrong byte.
func TestEvictionOnAFullDisk(t *testing.T) {
	disk := smallDisk(t, 8<<20)
	dir := filepath.Join(disk, "store")
	m := makeTarget(t, 1, 500*4096, 4096)
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	must(t, v.PutControl(m.control, 0))
	must(t, v.Checkpoint())
	must(t, v.Put(0, m.blocks(0, 500)))
	must(t, v.Checkpoint())
	must(t, v.SetVerified(v.Losses())) // to be written as well
	takeAll(t, filepath.Join(disk, "neighbour"))
	s.SetLimits(Limits{MinFree: 1 << 20})
	s.evictFor(4096)
	if free := freeBytes(disk); free < 1<<20 {
		t.Errorf("%d bytes are free after the eviction", free)
	}
	to := t.TempDir()
	copyTree(t, dir, to)
	crashed, _ := openStore(t, to)
	w := m.open(t, crashed)
	m.heal(t, w)
	must(t, w.Close())
	must(t, v.Close())
}

// TestNoMinimum: what was asked of the disk for a limit that is no more does not count.
func TestNoMinimum(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	s.SetLimits(Limits{MinFree: 1})
	s.refreshFree()
	s.SetLimits(Limits{})
	s.mu.Lock()
	s.free = 100 // by one who asked before, and was late
	s.mu.Unlock()
	if n, err := s.reserve(4096); err != nil {
		t.Errorf("%d, %v", n, err)
	} else {
		s.unreserve(n)
	}
}

// TestHolesInMemory: a file with holes on a tmpfs is not shown: to read a page of one
// through a map takes room, and without any ends the program that reads.
func TestHolesInMemory(t *testing.T) {
	data := make([]byte, 1<<20)
	sparse := targetOf(t, 1, data, 4096)
	full := makeTarget(t, 2, 1<<20, 4096)
	s, _ := openStore(t, smallDisk(t, 8<<20))
	for m, want := range map[*target]error{sparse: ErrUnchecked, full: nil} {
		v := m.open(t, s)
		m.fill(t, v)
		must(t, v.Checkpoint())
		shown, err := v.ShowData()
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if err == nil {
			must(t, shown.Close())
		}
		must(t, v.Close())
	}
}
