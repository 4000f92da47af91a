package blockstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTroubleIsToldOnce: a full disk is told once, however often something fails for
// it, is in Stats meanwhile, and is over once there is room.
func TestTroubleIsToldOnce(t *testing.T) {
	disk := smallDisk(t, 4<<20)
	dir, neighbour := filepath.Join(disk, "store"), filepath.Join(disk, "neighbour")
	m := makeTarget(t, 1, 500*4096, 4096)
	s, w := openStore(t, dir)
	v := m.open(t, s)
	must(t, v.PutControl(m.control, 0))
	must(t, v.Checkpoint())
	if got := s.Stats().Trouble; got != nil {
		t.Fatal(got.Err)
	}
	for round := range 3 {
		takeAll(t, neighbour)
		for range 5 {
			if err := v.Put(0, m.blocks(0, 500)); !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			s.checkpoint()
			s.lookAfter()
		}
		got := s.Stats().Trouble
		if got == nil || !errors.Is(got.Err, ErrFull) || time.Since(got.Since) > time.Minute {
			t.Errorf("round %d: %+v", round, got)
		}
		must(t, os.Remove(neighbour))
		s.lookAfter()
		if got := s.Stats().Trouble; got != nil {
			t.Errorf("round %d: with room: %v", round, got.Err)
		}
		// What comes again within a minute is not told again.
		if n := w.count(); n != 2 {
			t.Errorf("round %d: told %v", round, w.all)
		}
	}
	must(t, v.Put(0, m.blocks(0, 500)))
}

// unreadable has all reads of f fail as on a disk that gives nothing back. What else is
// done with it goes on.
func unreadable(t *testing.T, f **os.File, path string) {
	t.Helper()
	dead, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	t.Cleanup(func() { dead.Close() })
	*f = dead
}

// TestDiskThatGivesNothingBack: blocks and records that cannot be read are not here any
// more, all of a read at once, so that they are fetched; that is told once.
func TestDiskThatGivesNothingBack(t *testing.T) {
	m := makeTarget(t, 1, 500*4096, 4096)
	s, w := openStore(t, t.TempDir())
	v := m.open(t, s)
	m.fill(t, v)
	must(t, v.Checkpoint())
	unreadable(t, &v.parts.data.File, filepath.Join(v.path(), dataName))
	var damaged *DamagedError
	if n, err := v.ReadAt(make([]byte, 100*4096), 50*4096); n != 0 || !errors.As(err, &damaged) || damaged.Block != 50 || !isDisk(err) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if run, missing := v.Known(50, 500); run != 0 || missing != 100 {
		t.Errorf("%d blocks are here, then %d are missing", run, missing)
	}
	for range 3 {
		if _, err := v.ReadAt(make([]byte, 4096), 0); err == nil {
			t.Error("what cannot be read was read")
		}
		must(t, v.Put(0, m.blocks(0, 1)))
	}
	unreadable(t, &v.parts.control.f, filepath.Join(v.path(), controlName))
	v.parts.control.checked.set(0, 1) // as after a first use
	if _, err := v.Records(m.header.Geometry().All()); !errors.Is(err, ErrUnknownRecords) {
		t.Errorf("records: %v", err)
	}
	if len(v.ControlMissing()) == 0 {
		t.Error("no records are missing")
	}
	if got := s.Stats().Trouble; got == nil || !errors.Is(got.Err, syscall.EBADF) || w.count() != 1 {
		t.Errorf("%+v; told %v", got, w.all)
	}
}

// TestFolderRemoved: a store whose folder was removed and made again by another one
// keeps its hands off that.
func TestFolderRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	m, other := makeTarget(t, 1, 50*4096, 4096), makeTarget(t, 2, 50*4096, 4096)
	s, w := openStore(t, dir)
	v := m.open(t, s)
	m.fill(t, v)
	must(t, v.Checkpoint())
	must(t, os.RemoveAll(dir))
	next, w2 := openStore(t, dir)
	theirs := m.open(t, next)
	m.fill(t, theirs)
	must(t, theirs.Checkpoint())
	must(t, next.MetaPut("a", []byte("theirs")))
	before := filesOf(t, dir)

	m.checkAll(t, v)
	must(t, v.SetVerified(v.Losses()))
	must(t, s.MetaPut("a", []byte("ours")))
	s.checkpoint()
	s.lookAfter()
	if _, err := s.OpenVersion(other.raw, other.header, testPlace); !errors.Is(err, ErrGone) {
		t.Errorf("OpenVersion: %v", err)
	}
	if err := v.Discard(); !errors.Is(err, ErrGone) {
		t.Errorf("Discard: %v", err)
	}
	if got := s.Stats().Trouble; got == nil || !errors.Is(got.Err, ErrGone) || w.count() != 1 {
		t.Errorf("%+v; told %v", got, w.all)
	}
	if err := v.Close(); !errors.Is(err, ErrGone) {
		t.Errorf("Close of the version: %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrGone) {
		t.Errorf("Close: %v", err)
	}
	after := filesOf(t, dir)
	for name, text := range before {
		if !bytes.Equal(after[name], text) {
			t.Errorf("%s was changed", name)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, then %d", len(before), len(after))
	}
	m.checkAll(t, theirs)
	must(t, theirs.Close())
	if w2.count() != 0 {
		t.Errorf("the other store: %v", w2.all)
	}
}

// filesOf has the content of all files below dir.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(path)
		return err
	}))
	return files
}

// TestNothingIsShownOfAFailingDisk: what the disk does not give, this process can
// fetch, and a kernel cannot.
func TestNothingIsShownOfAFailingDisk(t *testing.T) {
	m := makeTarget(t, 1, 50*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	m.fill(t, v)
	must(t, v.Checkpoint())
	s.trouble(writeError("read blocks", unix.EIO))
	if _, err := v.ShowData(); !errors.Is(err, ErrUnchecked) {
		t.Errorf("of a failing disk: %v", err)
	}
	s.lookAfter()
	data, err := v.ShowData()
	must(t, err)
	must(t, data.Close())
	must(t, v.Close())
}

func TestKindsOfTrouble(t *testing.T) {
	for want, err := range map[string]error{
		"full":      writeError("x", unix.ENOSPC),
		kindLimit:   ErrLimit,
		"read-only": writeError("x", unix.EROFS),
		kindFailing: writeError("x", unix.EIO),
		kindGone:    ErrGone,
	} {
		if got := kindOf(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

// TestDirtyBytes: bytes that a checkpoint could not make durable are waiting once, and
// none when the version is gone.
func TestDirtyBytes(t *testing.T) {
	dir := t.TempDir()
	m := makeTarget(t, 1, 100*4096, 4096)
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	m.fill(t, v)
	before := s.dirtyBytes.Load()
	must(t, os.Rename(filepath.Join(dir, "lock"), filepath.Join(dir, "lock2")))
	for range 5 {
		if v.Checkpoint() == nil {
			t.Fatal("no error")
		}
	}
	if n := s.dirtyBytes.Load(); n != before {
		t.Errorf("%d bytes are dirty, %d were put", n, before)
	}
	must(t, os.Rename(filepath.Join(dir, "lock2"), filepath.Join(dir, "lock")))
	must(t, v.Checkpoint())
	must(t, v.Discard())
	must(t, v.Forget(v.geometry().All()))
	must(t, v.Put(0, m.data))
	must(t, v.Close())
	if n := s.dirtyBytes.Load(); n != 0 {
		t.Errorf("%d bytes are dirty of nothing", n)
	}
}
