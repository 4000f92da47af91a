package blockstore

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// Blocks of other bytes may agree with a checksum that is cut short. These tests change
// blocks into such ones while they are being shared and moved.

const (
	collideSize = 4096 // of a block
	collideAt   = 5    // the block that differs
	collideCut  = 3    // bytes of strong checksums
)

// colliding are two blocks whose cut checksums are equal.
var colliding = sync.OnceValue(func() (pair [2][]byte) {
	block := func(i uint64) []byte {
		b := make([]byte, collideSize)
		rand.NewChaCha8([32]byte{7, byte(i), byte(i >> 8), byte(i >> 16)}).Read(b)
		return b
	}
	seen := map[string]uint64{}
	for i := uint64(0); ; i++ {
		b := block(i)
		sum := string(checksum.MD4.SumBlocks(nil, b, collideSize)[:collideCut])
		if j, ok := seen[sum]; ok {
			return [2][]byte{block(j), b}
		}
		seen[sum] = i
	}
})

// chance is the block of which there are two.
func chance() format.BlockRange { return format.BlockRange{Start: collideAt, End: collideAt + 1} }

// collidingTarget is one of many that differ in block collideAt at most, which is x or y of
// colliding.
func collidingTarget(t testing.TB, seed uint64, block []byte, strong int) *target {
	data := bytes.Clone(makeTarget(t, 1, 20*collideSize, collideSize).data)
	copy(data[collideAt*collideSize:], block)
	return cutTargetOf(t, seed, data, collideSize, strong)
}

// until waits for f to hold.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: ", what)
		}
	}
}

// untilReserved starts f, and waits until it has set room aside, which is the last before it
// takes Version.writing.
func untilReserved(t testing.TB, s *Store, f func()) {
	t.Helper()
	pending := func() int64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.pending
	}
	before := pending()
	go f()
	until(t, "it has set room aside", func() bool { return pending() > before })
}

// change has v have block instead of what is at collideAt, as a repair does.
func change(t testing.TB, v *Version, block []byte) {
	t.Helper()
	must(t, v.Forget(chance()))
	must(t, v.Put(collideAt, block))
}

// TestOwnerChangesWhileGathered: the owner of blocks that are being moved gets another
// block: it does not get the old one again from the heir, as one that was checked.
func TestOwnerChangesWhileGathered(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	owner, heir := collidingTarget(t, 2, y, collideCut), collidingTarget(t, 3, x, collideCut)
	s, _ := openStore(t, t.TempDir())
	u, v := owner.open(t, s), heir.open(t, s)
	must(t, u.PutControl(owner.control, 0))
	must(t, v.PutControl(heir.control, 0))
	must(t, u.Put(0, heir.data)) // which matches by chance
	if n := shareAligned(t, v, u, heir, heir); n != 20 {
		t.Fatal(n)
	}
	v.folder.Lock() // its checkpoint takes a while
	done := make(chan error, 1)
	go func() { done <- v.Gather(context.Background()) }()
	until(t, "copied", func() bool { return v.Shares() == 0 })
	change(t, u, y)
	owner.verify(t, u)
	v.folder.Unlock()
	must(t, <-done)
	owner.same(t, u)
	heir.same(t, v)
	if n := u.Shares(); n != 0 && n != 19 {
		t.Errorf("%d blocks were given away", n)
	}
	must(t, u.Close())
	must(t, v.Close())
}

// TestHeirChangesWhileGathered: the version that blocks were moved to gets another block
// before all refer to it.
func TestHeirChangesWhileGathered(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	owner, heir, third := collidingTarget(t, 2, x, collideCut), collidingTarget(t, 3, x, collideCut), collidingTarget(t, 4, x, collideCut)
	s, _ := openStore(t, t.TempDir())
	u, v, w := owner.open(t, s), heir.open(t, s), third.open(t, s)
	owner.fill(t, u)
	must(t, v.PutControl(heir.control, 0))
	must(t, w.PutControl(third.control, 0))
	shareAligned(t, v, u, heir, owner)
	shareAligned(t, w, u, third, owner)
	owner.verify(t, u)
	w.folder.Lock() // its checkpoint takes a while
	done := make(chan error, 1)
	go func() { done <- v.Gather(context.Background()) }()
	until(t, "the third refers to the heir", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.table.shared) > 0 && w.table.shared[0].segment.key == v.key
	})
	change(t, v, y)
	w.folder.Unlock()
	must(t, <-done)
	owner.same(t, u)
	if u.State() != Verified {
		t.Errorf("the owner is %v", u.State())
	}
	must(t, u.Close())
	must(t, v.Close())
	must(t, w.Close())
}

// TestHeirPutsWhileGathered: a block that is forgotten and put while it is being moved is
// not written over by what was read before.
func TestHeirPutsWhileGathered(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	owner, heir := collidingTarget(t, 2, x, collideCut), collidingTarget(t, 3, y, collideCut)
	s, _ := openStore(t, t.TempDir())
	u, v := owner.open(t, s), heir.open(t, s)
	owner.fill(t, u)
	must(t, v.PutControl(heir.control, 0))
	shareAligned(t, v, u, owner, owner)
	must(t, u.Checkpoint())
	v.writing.Lock() // as by a Put of other blocks
	done := make(chan error, 2)
	untilReserved(t, s, func() { done <- v.Gather(context.Background()) })
	must(t, v.Forget(chance()))
	go func() { done <- v.Put(collideAt, y) }()
	v.writing.Unlock()
	must(t, errors.Join(<-done, <-done))
	heir.same(t, v)
	owner.same(t, u)
	must(t, u.Close())
	must(t, v.Close())
}

// TestCheckedLongAgo: bytes that were held against a record, and are others by the time
// that they are shared, are held against it again.
func TestCheckedLongAgo(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	from, to := collidingTarget(t, 2, x, collideCut), collidingTarget(t, 3, x, strongLength)
	s, _ := openStore(t, t.TempDir())
	u, v := from.open(t, s), to.open(t, s)
	from.fill(t, u)
	must(t, v.PutControl(to.control, 0))
	run := Shared{Blocks: chance(), Off: collideAt * collideSize, Checked: true, Moves: u.Moves()}
	change(t, u, y)
	_, err := v.Share(u, []Shared{run})
	must(t, err)
	var damaged *DamagedError
	if n, err := v.ReadAt(make([]byte, collideSize), run.Off); !errors.As(err, &damaged) && !errors.Is(err, ErrUnknownBlock) {
		t.Errorf("%d bytes of another block: %v", n, err)
	}
	must(t, u.Close())
	must(t, v.Close())
}

// TestVerifiedMeanwhile: what was forgotten while the whole was read is not verified by it.
func TestVerifiedMeanwhile(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	m := collidingTarget(t, 2, x, collideCut)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	m.fill(t, v)
	losses := v.Losses()
	m.same(t, v)
	change(t, v, y)
	if err := v.SetVerified(losses); !errors.Is(err, ErrChanged) || v.State() != Provisional {
		t.Errorf("it is %v: %v", v.State(), err)
	}
	change(t, v, x)
	must(t, v.SetVerified(v.Losses()))
	if v.State() != Verified {
		t.Errorf("it is %v", v.State())
	}
	must(t, v.Close())
}

// TestPutOfWhatIsHere: blocks that are put once more, also after a restart, when nobody has
// checked them yet, stay with all who share them; damaged ones are written again.
func TestPutOfWhatIsHere(t *testing.T) {
	m := makeTarget(t, 1, 400*4096, 4096)
	next := m.changed(t, 2, 20)
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	v, v2 := sharing(t, s, m, next)
	before := v2.KnownCount()
	must(t, v.Close())
	must(t, v2.Close())
	must(t, s.Close())
	s, _ = openStore(t, dir)
	v, v2 = m.open(t, s), next.open(t, s)
	// A block that v2 has too.
	shared := v2.table.shared[0]
	_, err := v.parts.data.WriteAt([]byte{^m.data[shared.off]}, shared.off)
	must(t, err)
	must(t, v.Put(0, m.data))
	if n := v2.KnownCount(); n != before-1 {
		t.Errorf("the other has %d blocks, had %d, of which 1 was damaged", n, before)
	}
	m.same(t, v)
	must(t, v.Close())
	must(t, v2.Close())
}

// TestDiscardWithoutRoom: a version that is kept loses nothing when the version that has
// its blocks is discarded while its file is being read, whatever the limits.
func TestDiscardWithoutRoom(t *testing.T) {
	m := makeTarget(t, 1, 2000*4096, 4096)
	next := m.changed(t, 2, 20)
	s, w := openStore(t, t.TempDir())
	v, v2 := sharing(t, s, m, next)
	v.Hold()
	v2.Hold()
	must(t, s.Keep(v2.key, true))
	data, err := v.OpenData(context.Background())
	must(t, err)
	s.mu.Lock()
	s.limits = Limits{Size: s.usedLocked() + 100<<10}
	s.mu.Unlock()
	must(t, v.Discard())
	must(t, data.Close())
	v.Release()
	v2.Release()
	must(t, v.Close())
	must(t, v2.Close())
	v2 = next.open(t, s)
	next.same(t, v2)
	if n := v2.KnownCount(); n != int64(next.count()) {
		t.Errorf("%d of %d blocks are left: %v", n, next.count(), w.all)
	}
	must(t, v2.Close())
}

// TestOwnerChangesWhileClosed: a verified version whose blocks became others in another's
// file while it was closed does not take them for its own.
func TestOwnerChangesWhileClosed(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	owner, sharer := collidingTarget(t, 2, y, collideCut), collidingTarget(t, 3, x, collideCut)
	for _, manifest := range []bool{true, false} {
		s, _ := openStore(t, t.TempDir())
		u, v := owner.open(t, s), sharer.open(t, s)
		must(t, u.PutControl(owner.control, 0))
		must(t, v.PutControl(sharer.control, 0))
		must(t, u.Put(0, sharer.data)) // which matches by chance
		shareAligned(t, v, u, sharer, sharer)
		if manifest {
			sharer.verify(t, v)
		} else {
			must(t, v.SetVerified(v.Losses()))
		}
		must(t, v.Close())
		change(t, u, y)
		v = sharer.open(t, s)
		got := make([]byte, collideSize)
		_, err := v.ReadAt(got, collideAt*collideSize)
		if err == nil && v.State() == Verified && !bytes.Equal(got, x) {
			t.Errorf("manifest %v: other bytes of a version that is %v", manifest, v.State())
		}
		if manifest {
			if err == nil {
				t.Errorf("the manifest did not tell")
			}
			must(t, v.Put(collideAt, x))
			sharer.same(t, v)
			if v.State() != Verified {
				t.Errorf("mended, it is %v", v.State())
			}
		}
		must(t, u.Close())
		must(t, v.Close())
		must(t, s.Close())
	}
}

// TestReplace: what is here by chance gives way to what the server sent, as a loss; to a
// Put it does not.
func TestReplace(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	m := collidingTarget(t, 2, y, collideCut)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	must(t, v.PutControl(m.control, 0))
	must(t, v.Put(collideAt, x))
	losses := v.Losses()
	must(t, v.Put(0, m.data))
	got := make([]byte, collideSize)
	if _, err := v.ReadAt(got, collideAt*collideSize); err != nil || !bytes.Equal(got, x) || v.Losses() != losses {
		t.Errorf("a Put replaced a block: %v", err)
	}
	must(t, v.Replace(0, m.data))
	m.same(t, v)
	if v.Losses() == losses {
		t.Error("no loss was counted")
	}
	losses = v.Losses()
	must(t, v.Replace(0, m.data))
	if v.Losses() != losses {
		t.Error("a loss where nothing changed")
	}
	must(t, v.Close())
}

// TestPutOfWhatWasSharedMeanwhile: a Put that looked up a block before another version's was
// taken for it leaves that.
func TestPutOfWhatWasSharedMeanwhile(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	from, to := collidingTarget(t, 2, x, collideCut), collidingTarget(t, 3, y, collideCut)
	s, _ := openStore(t, t.TempDir())
	u, v := from.open(t, s), to.open(t, s)
	from.fill(t, u)
	must(t, v.PutControl(to.control, 0))
	v.writing.Lock()
	done := make(chan error, 1)
	untilReserved(t, s, func() { done <- v.Put(collideAt, y) })
	if n := shareAligned(t, v, u, from, from); n != 20 {
		t.Fatal(n)
	}
	losses := v.Losses()
	from.same(t, v)
	v.writing.Unlock()
	must(t, <-done)
	must(t, v.SetVerified(losses))
	from.same(t, v)
	must(t, u.Close())
	must(t, v.Close())
}

// TestUnverifiedOnTheDisk: a version without a manifest that shares is provisional when it
// is opened again, and stays so on the disk when another block is put.
func TestUnverifiedOnTheDisk(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	owner, sharer := collidingTarget(t, 2, x, collideCut), collidingTarget(t, 3, x, collideCut)
	s, _ := openStore(t, t.TempDir())
	u, v := owner.open(t, s), sharer.open(t, s)
	owner.fill(t, u)
	must(t, v.PutControl(sharer.control, 0))
	shareAligned(t, v, u, sharer, owner)
	must(t, v.SetVerified(v.Losses()))
	must(t, v.Close())
	v = sharer.open(t, s)
	must(t, v.Forget(v.geometry().All()))
	must(t, v.Put(0, sharer.data))
	change(t, v, y)
	must(t, v.Close())
	if v = sharer.open(t, s); v.State() == Verified {
		t.Error("it is verified with another block")
	}
	must(t, u.Close())
	must(t, v.Close())
}

// TestReplaceOfVerified: what was verified stays.
func TestReplaceOfVerified(t *testing.T) {
	x, y := colliding()[0], colliding()[1]
	m, other := collidingTarget(t, 2, x, collideCut), collidingTarget(t, 2, y, collideCut)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	m.fill(t, v)
	must(t, v.SetVerified(v.Losses()))
	must(t, v.Checkpoint())
	must(t, v.Replace(0, other.data))
	m.same(t, v)
	must(t, v.Close())
}

// TestDamagedManifest: what lies in other versions' files stays when the manifest cannot
// be read; the version is provisional.
func TestDamagedManifest(t *testing.T) {
	x := colliding()[0]
	owner, sharer := collidingTarget(t, 2, x, collideCut), collidingTarget(t, 3, x, collideCut)
	s, _ := openStore(t, t.TempDir())
	u, v := owner.open(t, s), sharer.open(t, s)
	owner.fill(t, u)
	must(t, v.PutControl(sharer.control, 0))
	shareAligned(t, v, u, sharer, owner)
	sharer.verify(t, v)
	path := filepath.Join(v.path(), manifestName)
	must(t, v.Close())
	must(t, os.WriteFile(path, make([]byte, pageSize), 0o600))
	v = sharer.open(t, s)
	sharer.same(t, v)
	if n := v.KnownCount(); n != 20 || v.State() != Provisional {
		t.Errorf("%d blocks, it is %v", n, v.State())
	}
	must(t, u.Close())
	must(t, v.Close())
}
