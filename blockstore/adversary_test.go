package blockstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

// sharedPair is two versions, the first whole and the second, of which count blocks
// differ, with what it can share of the first.
func sharedPair(t *testing.T, s *Store, blocks, count int) (one, two *target, v1, v2 *Version) {
	t.Helper()
	const blockSize = 4096
	one = makeTarget(t, 1, blocks*blockSize, blockSize)
	two = one.changed(t, 2, count)
	v1, v2 = one.open(t, s), two.open(t, s)
	one.putWhole(t, v1)
	must(t, v2.PutControl(two.control, 0))
	shareAligned(t, v2, v1, two, one)
	return one, two, v1, v2
}

// setAside is how much room is reserved.
func (s *Store) setAsideRoom() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending
}

// TestSegmentOfNewFolder: the version that has the bytes goes and comes again, in
// another file, while the one that shares is open all the time.
func TestSegmentOfNewFolder(t *testing.T) {
	s := soundStore(t, t.TempDir())
	one, two, v1, v2 := sharedPair(t, s, 64, 2)
	two.putWhole(t, v2)
	two.same(t, v2)
	must(t, v1.Close())
	must(t, s.Remove(v1.Key()))
	two.same(t, v2)
	// It comes again and takes its blocks from the other.
	v1 = one.open(t, s)
	must(t, v1.PutControl(one.control, 0))
	shareAligned(t, v1, v2, one, two)
	one.putWhole(t, v1)
	must(t, v1.Gather(context.Background()))
	one.checkAll(t, v1)
	two.same(t, v2)
	must(t, v1.Close())
	must(t, v2.Close())
	must(t, s.Close())
}

// TestShareOfDiscarded: a version that is discarded neither gives nor takes blocks,
// for its Key is another's by then.
func TestShareOfDiscarded(t *testing.T) {
	s := soundStore(t, t.TempDir())
	one, two, v1, v2 := sharedPair(t, s, 64, 2)
	must(t, v1.Discard())
	again := one.open(t, s)
	must(t, again.PutControl(one.control, 0))
	must(t, again.Put(40, one.blocks(40, 64)))
	must(t, v2.Forget(two.header.Geometry().All()))
	n, err := v2.Share(v1, []Shared{{Blocks: format.BlockRange{Start: 0, End: 1}, Checked: true}, {Blocks: format.BlockRange{Start: 5, End: 9}, Off: 5 * 4096, Checked: true}})
	if n != 0 || err != nil {
		t.Errorf("%d blocks of a discarded version are shared, %v", n, err)
	}
	two.checkAll(t, v2)
	two.putWhole(t, v2)
	// The other way round: a discarded one must not take what others have.
	must(t, again.Forget(format.BlockRange{Start: 40, End: 64}))
	shareAligned(t, again, v2, one, two)
	must(t, again.Discard())
	third := one.open(t, s)
	must(t, again.Gather(context.Background()))
	two.same(t, v2)
	one.checkAll(t, again)
	for _, v := range []*Version{v1, v2, again, third} {
		must(t, v.Close())
	}
	must(t, s.Close())
}

// TestDiscardGivesBackRoom: what was put into a version that was discarded counts
// until its files are gone, and no longer.
func TestDiscardGivesBackRoom(t *testing.T) {
	s := soundStore(t, t.TempDir())
	m := makeTarget(t, 1, 100*4096, 4096)
	v := m.open(t, s)
	m.fill(t, v)
	must(t, v.Discard())
	if n := s.Stats().DiskBytes; n < 100*4096 {
		t.Errorf("%d bytes are taken while the files are there", n)
	}
	must(t, v.Forget(m.header.Geometry().All()))
	must(t, v.Put(0, m.data))
	must(t, v.Close())
	if n := s.setAsideRoom(); n != 0 {
		t.Errorf("%d bytes are set aside", n)
	}
	if n := s.Stats().DiskBytes; n > 64<<10 {
		t.Errorf("%d bytes are taken when nothing is left", n)
	}
	must(t, s.Close())
}

// TestSharedAfterFsyncError: the disk loses bytes that another version refers to.
func TestSharedAfterFsyncError(t *testing.T) {
	defer func() { syncFile = fdatasync }()
	s, _ := openStore(t, t.TempDir())
	_, two, v1, v2 := sharedPair(t, s, 64, 2)
	two.checkAll(t, v2) // they count as checked
	name := v1.parts.data.Name()
	syncFile = func(f *os.File) error {
		if f.Name() == name {
			return errors.New("the disk is broken")
		}
		return fdatasync(f)
	}
	if err := v1.Checkpoint(); err == nil {
		t.Fatal("no error")
	}
	syncFile = fdatasync
	if n := v2.Shares(); n != 0 {
		t.Errorf("%d blocks are shared that the disk may have lost", n)
	}
	must(t, v1.Close())
	must(t, v2.Close())
}

// TestGatherAfterFsyncError: what was moved and is lost is not referred to.
func TestGatherAfterFsyncError(t *testing.T) {
	defer func() { syncFile = fdatasync }()
	s, _ := openStore(t, t.TempDir())
	one, two, v1, v2 := sharedPair(t, s, 64, 2)
	two.putWhole(t, v2)
	must(t, v1.Checkpoint())
	must(t, v2.Checkpoint())
	name := v2.parts.data.Name()
	syncFile = func(f *os.File) error {
		if f.Name() == name {
			return errors.New("the disk is broken")
		}
		return fdatasync(f)
	}
	if err := v2.Gather(context.Background()); err == nil {
		t.Error("Gather tells no error")
	}
	syncFile = fdatasync
	one.same(t, v1)
	two.checkAll(t, v2)
	two.putWhole(t, v2)
	two.same(t, v2)
	must(t, v1.Close())
	must(t, v2.Close())
}

// TestMergeShared: blocks that lie in another version's file are merged into a
// folder that was lost to the index.
func TestMergeShared(t *testing.T) {
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	_, two, v1, v2 := sharedPair(t, s, 64, 2)
	two.checkAll(t, v2)
	id, _ := v2.ID()
	must(t, v2.Close())
	// Its folder is taken away, and is there again when the next one becomes whole.
	lost := filepath.Join(t.TempDir(), "lost")
	copyTree(t, filepath.Join(dir, versionsName, id.String()), lost)
	must(t, os.Remove(filepath.Join(lost, sharedName)))
	must(t, s.Remove(v2.Key()))
	v2 = two.open(t, s)
	must(t, v2.PutControl(two.control[:len(two.control)-20], 0))
	one := makeTarget(t, 1, 64*4096, 4096)
	last := format.BlockID(63)
	var runs []Shared
	for b := format.BlockID(0); b < last; b++ {
		if string(one.blocks(b, b+1)) == string(two.blocks(b, b+1)) {
			runs = append(runs, Shared{Blocks: format.BlockRange{Start: b, End: b + 1}, Off: int64(b) * 4096})
		}
	}
	n, err := v2.Share(v1, runs)
	must(t, err)
	two.checkAll(t, v2)
	copyTree(t, lost, filepath.Join(dir, versionsName, id.String()))
	must(t, v2.PutControl(two.control[len(two.control)-20:], int64(len(two.control)-20)))
	if got := two.checkAll(t, v2); int64(got) < n {
		t.Errorf("%d of %d blocks are left", got, n)
	}
	two.heal(t, v2)
	must(t, v1.Close())
	must(t, v2.Close())
}
