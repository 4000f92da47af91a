package blockstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

// A version that was verified serves no other bytes than those that were, also after a
// crash at the worst time and when the disk fails. Of these tests' two blocks, x belongs
// to the whole, and y agrees with its record by chance.

// noOther fails the test when v, of m, is verified and has another block than m at
// collideAt.
func noOther(t *testing.T, m *target, v *Version) {
	t.Helper()
	got := make([]byte, collideSize)
	_, err := v.ReadAt(got, collideAt*collideSize)
	if err == nil && v.State() == Verified && !bytes.Equal(got, m.blocks(collideAt, collideAt+1)) {
		t.Error("a verified version serves another block")
	}
}

// crash is what a kill leaves of the store in dir now.
func crash(t *testing.T, dir string) string {
	t.Helper()
	out := t.TempDir()
	copyTree(t, dir, out)
	return out
}

// noOtherAfter is noOther of what a crash left.
func noOtherAfter(t *testing.T, m *target, dir string) {
	t.Helper()
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	noOther(t, m, v)
	must(t, errors.Join(v.Close(), s.Close()))
}

// withChance is a version of m, which has x, that has y on the disk by chance, and one of
// another target that has x.
func withChance(t *testing.T, s *Store) (m, owner *target, v, u *Version) {
	t.Helper()
	x, y := colliding()[0], colliding()[1]
	owner, m = collidingTarget(t, 2, x, collideCut), collidingTarget(t, 3, x, collideCut)
	u, v = owner.open(t, s), m.open(t, s)
	owner.fill(t, u)
	must(t, u.Checkpoint())
	m.fill(t, v)
	change(t, v, y)
	must(t, v.Checkpoint())
	return m, owner, v, u
}

// TestVerifiedBehindItsMap: a kill, or a disk that is full, comes when the disk says that
// the version is verified, or is about to, and its map there names what it had before.
func TestVerifiedBehindItsMap(t *testing.T) {
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	m, owner, v, u := withChance(t, s)
	must(t, v.Forget(chance())) // a repair
	if n := shareAligned(t, v, u, m, owner); n != 1 {
		t.Fatal(n)
	}
	m.verify(t, v)
	known := v.parts.known
	unwritable, err := os.Open(filepath.Join(v.path(), knownName))
	must(t, err)
	defer unwritable.Close()
	v.parts.known = unwritable
	if err := v.Checkpoint(); err == nil {
		t.Fatal("no error")
	}
	v.parts.known = known
	noOtherAfter(t, m, crash(t, dir))
	must(t, v.Checkpoint())
	if v.State() != Verified || v.diskState != Verified {
		t.Errorf("it is %v, and %v on the disk", v.State(), v.diskState)
	}
	must(t, errors.Join(u.Close(), v.Close()))
}

// TestVerifiedAfterFsyncError: a failed fdatasync brings back blocks of before the whole
// was verified.
func TestVerifiedAfterFsyncError(t *testing.T) {
	for _, how := range []string{"shared", "put"} {
		t.Run(how, func(t *testing.T) {
			defer func() { syncFile = fdatasync }()
			s, _ := openStore(t, t.TempDir())
			m, owner, v, u := withChance(t, s)
			if how == "shared" {
				must(t, v.Forget(chance()))
				must(t, v.Replace(0, m.blocks(0, 1)))
				must(t, v.Forget(format.BlockRange{End: 1}))
				must(t, v.Put(0, m.blocks(0, 1))) // something to be synced
				if n := shareAligned(t, v, u, m, owner); n != 1 {
					t.Fatal(n)
				}
			} else {
				must(t, v.Replace(0, m.data))
			}
			m.verify(t, v)
			name := v.parts.data.Name()
			syncFile = func(f *os.File) error {
				if f.Name() != name {
					return fdatasync(f)
				}
				if how == "put" { // what was not written is lost
					if _, err := f.WriteAt(colliding()[1], collideAt*collideSize); err != nil {
						t.Error(err)
					}
				}
				return errors.New("the disk is broken")
			}
			if err := v.Checkpoint(); err == nil {
				t.Fatal("no error")
			}
			syncFile = fdatasync
			noOther(t, m, v)
			must(t, v.Close())
			v = m.open(t, s)
			noOther(t, m, v)
			must(t, errors.Join(u.Close(), v.Close()))
		})
	}
}

// unvouched is a version that was verified when there was no room for a manifest.
func unvouched(t *testing.T, s *Store) (m *target, v *Version) {
	t.Helper()
	m = collidingTarget(t, 3, colliding()[0], collideCut)
	v = m.open(t, s)
	m.fill(t, v)
	must(t, v.SetVerified(v.Losses()))
	must(t, v.Checkpoint())
	return m, v
}

// TestGatherIntoVerified: what is gathered by a version that is verified on the disk, and
// no more in memory, is not taken for what was verified after a crash.
func TestGatherIntoVerified(t *testing.T) {
	defer func() { syncFile = fdatasync }()
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	other := collidingTarget(t, 2, colliding()[1], collideCut)
	u := other.open(t, s)
	other.fill(t, u)
	must(t, u.Checkpoint())
	m, v := unvouched(t, s)
	must(t, v.Forget(chance())) // cannot be read, say
	if n, err := v.Share(u, []Shared{{Blocks: chance(), Off: collideAt * collideSize}}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	name, crashed := v.parts.data.Name(), ""
	syncFile = func(f *os.File) error {
		if f.Name() == name && crashed == "" { // before Gather's checkpoint
			crashed = crash(t, dir)
		}
		return fdatasync(f)
	}
	must(t, v.Gather(t.Context()))
	syncFile = fdatasync
	noOtherAfter(t, m, crashed)
	must(t, errors.Join(u.Close(), v.Close()))
}

// TestPutIntoVerified: the whole is verified, and the block forgotten, after a Put of
// another block has had the disk say that the version is provisional.
func TestPutIntoVerified(t *testing.T) {
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	m, v := unvouched(t, s)
	must(t, v.Forget(chance()))
	s.index.saving.Lock() // that it is provisional takes a while to be noted
	done := make(chan error, 1)
	go func() { done <- v.Put(collideAt, colliding()[1]) }()
	until(t, "provisional on the disk", func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.diskState == Provisional
	})
	must(t, v.Put(collideAt, colliding()[0])) // a fetch
	must(t, v.SetVerified(v.Losses()))
	v.folder.Lock()
	err := v.checkpoint()
	v.folder.Unlock()
	must(t, err)
	must(t, v.Forget(chance()))
	s.index.saving.Unlock()
	must(t, <-done)
	noOtherAfter(t, m, crash(t, dir))
	must(t, v.Close())
}

// TestMergeIntoVerified: the index forgot a version that was verified, and what came since
// is another block.
func TestMergeIntoVerified(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	m := collidingTarget(t, 3, colliding()[0], collideCut)
	v := m.open(t, s)
	m.fill(t, v)
	m.verify(t, v)
	must(t, v.Forget(chance()))
	must(t, v.Forget(format.BlockRange{Start: 9, End: 10}))
	must(t, v.Close())
	must(t, s.index.update([]entry{keyEntry(v.key, "")}))
	v = m.open(t, s)
	n := len(m.control) - 10
	must(t, v.PutControl(m.control[:n], 0))
	must(t, v.Put(collideAt, colliding()[1]))
	must(t, v.Put(9, m.blocks(9, 10)))
	must(t, v.PutControl(m.control[n:], int64(n)))
	noOther(t, m, v)
	if run, _ := v.Known(6, m.count()); v.State() != Verified || run != 14 {
		t.Errorf("it is %v, with %d blocks behind the other one", v.State(), run)
	}
	must(t, v.Close())
}

// TestLossWithoutManifest: when a block is lost and nobody knows what it was, the whole is
// to be verified anew.
func TestLossWithoutManifest(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	m, v := unvouched(t, s)
	must(t, v.Forget(chance()))
	if v.State() != Provisional {
		t.Errorf("it is %v", v.State())
	}
	m.heal(t, v)
	m.verify(t, v) // there is a manifest now
	must(t, v.Forget(chance()))
	if v.State() != Verified {
		t.Errorf("with a manifest it is %v", v.State())
	}
	must(t, v.Close())
}

// TestLossAtLoadWithoutManifest is TestLossWithoutManifest of blocks that are found lost
// when the version is opened.
func TestLossAtLoadWithoutManifest(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	m, v := unvouched(t, s)
	known := filepath.Join(v.path(), knownName)
	must(t, v.Close())
	must(t, os.Truncate(known, 0))
	v = m.open(t, s)
	if v.State() != Provisional || v.KnownCount() != 0 {
		t.Errorf("it is %v, with %d blocks", v.State(), v.KnownCount())
	}
	must(t, v.Close())
}

// TestReplaceNeedsNoRoom: to hold blocks that are here against others takes no room, and
// is no trouble on a full disk.
func TestReplaceNeedsNoRoom(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	m := makeTarget(t, 9, 20*4096, 4096)
	v := m.open(t, s)
	m.fill(t, v)
	m.verify(t, v)
	v.Hold()
	must(t, v.Checkpoint())
	s.mu.Lock()
	s.limits.Size = s.usedLocked()
	s.mu.Unlock()
	must(t, v.Replace(0, m.data))
	must(t, v.Put(0, m.data))
	if w := s.Trouble(); w != nil {
		t.Errorf("the store has trouble: %+v", w)
	}
	must(t, v.Close())
}
