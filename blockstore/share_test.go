package blockstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

// inserted is m with n bytes put in at off, as a target of its own.
func (m *target) inserted(t testing.TB, seed uint64, off, n int) *target {
	t.Helper()
	extra := make([]byte, n)
	rand.NewChaCha8([32]byte{9, byte(seed)}).Read(extra)
	data := append(append(bytes.Clone(m.data[:off]), extra...), m.data[off:]...)
	return targetOf(t, seed, data, int(m.header.BlockSize))
}

// changed is m with count blocks replaced, as a target of its own.
func (m *target) changed(t testing.TB, seed uint64, count int) *target {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	data, size := bytes.Clone(m.data), int(m.header.BlockSize)
	for range count {
		b := rng.IntN(int(m.count()))
		part := data[b*size : min((b+1)*size, len(data))]
		rand.NewChaCha8([32]byte{byte(seed), byte(b), byte(b >> 8), 7}).Read(part)
	}
	return targetOf(t, seed, data, size)
}

// repeating is m with some runs of its blocks in place of others as well, as a target of
// its own.
func (m *target) repeating(t testing.TB, seed uint64) *target {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	data, size := bytes.Clone(m.data), int(m.header.BlockSize)
	for range 4 {
		n := 1 + rng.IntN(20)
		from, to := rng.IntN(len(m.data)/size-n), rng.IntN(len(m.data)/size-n)
		copy(data[to*size:][:n*size], m.data[from*size:])
	}
	return targetOf(t, seed, data, size)
}

// shareAnywhere shares the blocks of to that from has at the beginning of any block.
func shareAnywhere(t testing.TB, to, from *Version, a, b *target) int64 {
	t.Helper()
	places := map[string]int64{}
	for id := format.BlockID(0); id < b.count(); id++ {
		places[string(b.blocks(id, id+1))] = b.header.Geometry().Offset(id)
	}
	var runs []Shared
	for id := format.BlockID(0); id < a.count(); id++ {
		if off, ok := places[string(a.blocks(id, id+1))]; ok {
			runs = append(runs, Shared{Blocks: format.BlockRange{Start: id, End: id + 1}, Off: off})
		}
	}
	n, err := to.Share(from, runs)
	must(t, err)
	return n
}

// shareAligned shares the blocks of to that are the same at the same place of from.
func shareAligned(t testing.TB, to, from *Version, a, b *target) int64 {
	t.Helper()
	size := int(a.header.BlockSize)
	var runs []Shared
	for id := format.BlockID(0); id < a.count(); id++ {
		off := int(id) * size
		end := min(off+size, len(a.data))
		if end <= len(b.data) && bytes.Equal(a.data[off:end], b.data[off:end]) {
			runs = append(runs, Shared{Blocks: format.BlockRange{Start: id, End: id + 1}, Off: int64(off)})
		}
	}
	n, err := to.Share(from, runs)
	must(t, err)
	return n
}

// putWhole puts the control file and all blocks that are not here.
func (m *target) putWhole(t testing.TB, v *Version) {
	t.Helper()
	must(t, v.PutControl(m.control, 0))
	for id := format.BlockID(0); id < m.count(); id++ {
		if run, _ := v.Known(id, id+1); run == 0 {
			must(t, v.Put(id, m.blocks(id, id+1)))
		}
	}
}

// same reads all of v and compares it.
func (m *target) same(t testing.TB, v *Version) {
	t.Helper()
	got := make([]byte, len(m.data))
	if _, err := v.ReadAt(got, 0); err != nil {
		t.Fatalf("read: %v", err)
	}
	if !bytes.Equal(got, m.data) {
		t.Fatal("wrong bytes")
	}
}

// dataBytes is how much room the data files in the store take.
func dataBytes(t testing.TB, dir string) (n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, versionsName, "*", dataName))
	must(t, err)
	for _, f := range files {
		info, err := os.Stat(f)
		must(t, err)
		n += diskBytes(info)
	}
	return n
}

// TestGatherOfRepeatedBytes: who gathers has the same bytes of another's file twice. They
// are moved twice, and those who have these bytes of the file there as well refer to one of
// both.
func TestGatherOfRepeatedBytes(t *testing.T) {
	const blockSize, blocks = 512, 1000
	dir := t.TempDir()
	s := soundStore(t, dir)
	one := makeTarget(t, 1, blocks*blockSize, blockSize)
	two := targetOf(t, 2, append(bytes.Clone(one.data[:900*blockSize]), makeTarget(t, 9, 100*blockSize, blockSize).data...), blockSize)
	three := targetOf(t, 3, bytes.Join([][]byte{one.data, one.data[300*blockSize : 320*blockSize], one.data[500*blockSize : 505*blockSize], one.data[895*blockSize : 899*blockSize]}, nil), blockSize)
	v1, v2, v3 := one.open(t, s), two.open(t, s), three.open(t, s)
	one.putWhole(t, v1)
	must(t, v2.PutControl(two.control, 0))
	must(t, v3.PutControl(three.control, 0))
	shareAnywhere(t, v2, v1, two, one)
	if n := shareAnywhere(t, v3, v1, three, one); n != blocks+29 {
		t.Fatalf("%d blocks are shared", n)
	}
	two.right(t, v2)
	three.right(t, v3)
	must(t, v3.Gather(context.Background()))
	for i, m := range []*target{one, two, three} {
		v := []*Version{v1, v2, v3}[i]
		m.right(t, v)
		m.checkAll(t, v)
		must(t, v.Close())
	}
	must(t, s.Close())
	s = soundStore(t, dir)
	for _, m := range []*target{one, two, three} {
		v := m.open(t, s)
		m.right(t, v)
		must(t, v.Close())
	}
	must(t, s.Close())
}

func TestShareGatherRemove(t *testing.T) {
	const blockSize, blocks = 4096, 400
	dir := t.TempDir()
	s := soundStore(t, dir)
	one := makeTarget(t, 1, blocks*blockSize, blockSize)
	two := one.changed(t, 2, 8)
	v1, v2 := one.open(t, s), two.open(t, s)
	one.putWhole(t, v1)
	must(t, v2.PutControl(two.control, 0))
	shared := shareAligned(t, v2, v1, two, one)
	if shared < blocks-8 || v2.KnownCount() != shared || v2.Shares() != shared {
		t.Fatalf("%d blocks are shared, %d known", shared, v2.KnownCount())
	}
	two.putWhole(t, v2)
	two.same(t, v2)
	unique := int64(2*blocks-int(shared)) * blockSize
	must(t, v1.Checkpoint())
	must(t, v2.Checkpoint())
	const slack = 4 * diskPage // the file system's own notes of where the parts of a file are
	if n := dataBytes(t, dir); n < unique || n > unique+slack {
		t.Errorf("before it is gathered the data take %d bytes, not %d", n, unique)
	}
	must(t, v2.Gather(context.Background()))
	if v2.Shares() != 0 || v1.Shares() != shared {
		t.Errorf("after it was gathered the new one shares %d blocks, the old one %d", v2.Shares(), v1.Shares())
	}
	one.same(t, v1)
	two.same(t, v2)
	if n := dataBytes(t, dir); n < unique || n > unique+slack {
		t.Errorf("after it was gathered the data take %d bytes, not %d", n, unique)
	}
	if st := s.Stats(); st.DataBytes != unique || st.SharedBytes != shared*blockSize {
		t.Errorf("stats: %+v", st)
	}
	// All of it outlasts the process.
	must(t, v1.Close())
	must(t, v2.Close())
	must(t, s.Close())
	s = soundStore(t, dir)
	v1, v2 = one.open(t, s), two.open(t, s)
	one.same(t, v1)
	two.same(t, v2)
	must(t, v2.Close())
	// The one that has the bytes goes; the other keeps them.
	v1.Hold()
	must(t, s.Remove(v2.Key()))
	one.same(t, v1)
	if v1.Shares() != 0 {
		t.Error("blocks are shared with a version that is gone")
	}
	if err := s.Remove(v1.Key()); !errors.Is(err, ErrInUse) {
		t.Errorf("a version that is held was removed: %v", err)
	}
	v1.Release()
	must(t, v1.Close())
	must(t, s.Remove(v1.Key()))
	if n := dataBytes(t, dir); n != 0 {
		t.Errorf("an empty store takes %d bytes", n)
	}
	if st := s.Stats(); st.Versions != 0 || st.DataBytes != 0 || st.SharedBytes != 0 || st.DiskBytes > 1<<20 {
		t.Errorf("stats of an empty store: %+v", st)
	}
	must(t, s.Close())
}

// TestSharedByteOffsets: blocks that lie at any offset of another target.
func TestSharedByteOffsets(t *testing.T) {
	const blockSize = 2048
	s := soundStore(t, t.TempDir())
	one := makeTarget(t, 1, 300*blockSize+77, blockSize)
	two := one.inserted(t, 2, 10*blockSize+5, 333)
	v1, v2 := one.open(t, s), two.open(t, s)
	one.putWhole(t, v1)
	must(t, v2.PutControl(two.control, 0))
	// Whole blocks behind what was put in.
	first := format.BlockID(12)
	runs := []Shared{{Blocks: format.BlockRange{Start: first, End: two.count()}, Off: int64(first)*blockSize - 333}}
	n, err := v2.Share(v1, runs)
	must(t, err)
	if n != int64(two.count()-first) {
		t.Errorf("%d blocks are shared", n)
	}
	two.putWhole(t, v2)
	two.same(t, v2)
	must(t, v2.Gather(context.Background()))
	one.same(t, v1)
	two.same(t, v2)
	// Back again: a third one finds its blocks in a target of which some lie elsewhere.
	three := one.changed(t, 3, 5)
	v3 := three.open(t, s)
	must(t, v3.PutControl(three.control, 0))
	if n := shareAligned(t, v3, v1, three, one); n < 290 {
		t.Errorf("the third shares %d blocks", n)
	}
	three.putWhole(t, v3)
	must(t, v3.Gather(context.Background()))
	for i, m := range []*target{one, two, three} {
		m.same(t, []*Version{v1, v2, v3}[i])
	}
	for _, v := range []*Version{v1, v2, v3} {
		must(t, v.Close())
	}
	must(t, s.Close())
}

// TestSharedBytesThatChange: bytes that another version refers to are overwritten
// or rot; nobody reads wrong ones.
func TestSharedBytesThatChange(t *testing.T) {
	const blockSize, blocks = 4096, 64
	dir := t.TempDir()
	s := soundStore(t, dir)
	one := makeTarget(t, 1, blocks*blockSize, blockSize)
	two := one.changed(t, 2, 2)
	v1, v2 := one.open(t, s), two.open(t, s)
	one.putWhole(t, v1)
	must(t, v2.PutControl(two.control, 0))
	shareAligned(t, v2, v1, two, one)
	two.putWhole(t, v2)
	two.same(t, v2)
	must(t, v1.Forget(format.BlockRange{Start: 3, End: 5}))
	two.same(t, v2) // the bytes are there still
	must(t, v1.Put(3, one.blocks(3, 5)))
	if run, _ := v2.Known(3, 5); run != 2 {
		t.Error("blocks are lost although the same bytes were written")
	}
	must(t, v1.Forget(format.BlockRange{Start: 3, End: 5}))
	must(t, v1.Put(3, two.blocks(7, 9))) // nobody holds them against their records here
	if run, _ := v2.Known(3, 5); run != 0 {
		t.Error("blocks are here although their bytes were overwritten")
	}
	must(t, v1.Forget(format.BlockRange{Start: 3, End: 5}))
	two.putWhole(t, v2)
	two.same(t, v2)
	must(t, v1.Close())
	must(t, v2.Close())
	must(t, s.Close())
	// Rot in the file of the one is found by the other.
	files, _ := filepath.Glob(filepath.Join(dir, versionsName, "*", dataName))
	for _, f := range files {
		p, err := os.ReadFile(f)
		must(t, err)
		if len(p) > 20*blockSize {
			copy(p[20*blockSize:], "rot")
			must(t, os.WriteFile(f, p, 0o600))
		}
	}
	s, err := Open(dir, Options{})
	must(t, err)
	v2 = two.open(t, s)
	got := make([]byte, blockSize)
	if _, err := v2.ReadAt(got, 20*blockSize); err == nil && !bytes.Equal(got, two.blocks(20, 21)) {
		t.Error("rot was read")
	}
	must(t, v2.Close())
	must(t, s.Close())
}

// TestSharedWithoutOwner: a version whose blocks lie in a folder that somebody
// removed has the others.
func TestSharedWithoutOwner(t *testing.T) {
	const blockSize, blocks = 4096, 64
	dir := t.TempDir()
	s := soundStore(t, dir)
	one := makeTarget(t, 1, blocks*blockSize, blockSize)
	two := one.changed(t, 2, 9)
	v1, v2 := one.open(t, s), two.open(t, s)
	one.putWhole(t, v1)
	must(t, v2.PutControl(two.control, 0))
	shared := shareAligned(t, v2, v1, two, one)
	two.putWhole(t, v2)
	id, _ := v1.ID()
	must(t, v1.Close())
	must(t, v2.Close())
	must(t, s.Close())
	must(t, os.RemoveAll(filepath.Join(dir, versionsName, id.String())))
	s = soundStore(t, dir)
	v2 = two.open(t, s)
	if n := v2.KnownCount(); n != blocks-shared {
		t.Errorf("%d blocks are here, want %d", n, blocks-shared)
	}
	two.putWhole(t, v2)
	two.same(t, v2)
	must(t, v2.Close())
	must(t, s.Close())
}

// TestSharingAtRandom does all that can be done to versions that share, in any
// order, compares what is read, and counts that no version loses blocks by what is done to
// another.
func TestSharingAtRandom(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) { shareAtRandom(t, uint64(round)) })
	}
}

func shareAtRandom(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	blockSize := 512 << rng.IntN(4)
	dir := t.TempDir()
	s := soundStore(t, dir)
	targets := []*target{makeTarget(t, 1, 200*blockSize+rng.IntN(blockSize), blockSize)}
	for i := range 5 {
		m := targets[rng.IntN(len(targets))].changed(t, uint64(i+2), 10)
		if rng.IntN(2) == 0 {
			m = m.repeating(t, uint64(i+2))
		}
		targets = append(targets, m)
	}
	open := make([]*Version, len(targets))
	whole := map[int]*Data{} // files that are being read
	// Who gets what he forgot once more, writes over what others may have there.
	forgets := seed%2 == 0
	letGo := func() {
		for k, data := range whole {
			got := make([]byte, len(targets[k].data))
			if _, err := data.ReadAt(got, 0); err != nil || !bytes.Equal(got, targets[k].data) {
				t.Fatalf("an open file: %v, right: %v", err, bytes.Equal(got, targets[k].data))
			}
			must(t, data.Close())
			delete(whole, k)
		}
	}
	counts := func() (out []int64) {
		for _, m := range targets {
			p, err := s.Peek(m.key())
			must(t, err)
			out = append(out, p.Blocks)
		}
		return out
	}
	for step := range 200 {
		i, j := rng.IntN(len(targets)), rng.IntN(len(targets))
		m := targets[i]
		if open[i] == nil {
			open[i] = m.open(t, s)
			must(t, open[i].PutControl(m.control, 0))
		}
		v := open[i]
		before, op := counts(), rng.IntN(11)
		if op == 3 && !forgets {
			continue
		}
		switch op {
		case 0, 1:
			switch {
			case open[j] == nil || i == j:
			case op == 0:
				shareAligned(t, v, open[j], m, targets[j])
			default:
				shareAnywhere(t, v, open[j], m, targets[j])
			}
		case 2:
			m.putWhole(t, v)
		case 3:
			first := format.BlockID(rng.IntN(int(m.count())))
			must(t, v.Forget(format.BlockRange{Start: first, End: first + 9}))
		case 4, 5:
			err := v.Gather(context.Background())
			if len(whole) == 0 || !errors.Is(err, ErrInUse) {
				must(t, err)
				if v.Shares() != 0 {
					t.Fatalf("step %d: %d blocks are shared after Gather", step, v.Shares())
				}
			}
		case 6:
			must(t, v.Close())
			open[i] = nil
		case 7:
			err := s.Remove(v.Key())
			if err != nil && !errors.Is(err, ErrNotFound) && (whole[i] == nil || !errors.Is(err, ErrInUse)) {
				t.Fatal(err)
			}
		case 9:
			data, err := v.OpenData(context.Background())
			if v.KnownCount() < int64(m.count()) {
				if !errors.Is(err, ErrUnknownBlock) {
					t.Fatalf("step %d: OpenData of a part: %v", step, err)
				}
				break
			}
			must(t, err)
			if old := whole[i]; old != nil {
				must(t, old.Close())
			}
			whole[i] = data
		case 10:
			letGo()
			must(t, func() error { _, err := s.Collect(); return err }())
		case 8:
			letGo()
			for k, o := range open {
				if o != nil {
					must(t, o.Close())
				}
				open[k] = nil
			}
			must(t, s.Close())
			s = soundStore(t, dir)
		}
		for k, n := range counts() {
			if k != i && !forgets && n < before[k] {
				t.Fatalf("step %d: version %d has %d blocks, had %d before %d was done to version %d", step, k, n, before[k], op, i)
			}
		}
		for k, o := range open {
			if o != nil {
				targets[k].right(t, o)
			}
		}
	}
	letGo()
	for _, o := range open {
		if o != nil {
			must(t, o.Close())
		}
	}
	must(t, s.Close())
}

// right compares what v has.
func (m *target) right(t testing.TB, v *Version) {
	t.Helper()
	for b := format.BlockID(0); b < m.count(); {
		run, missing := v.Known(b, m.count())
		if run > 0 {
			want := m.blocks(b, b+format.BlockID(run))
			got := make([]byte, len(want))
			if _, err := v.ReadAt(got, m.header.Geometry().Offset(b)); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("blocks from %d on: %v, right: %v", b, err, bytes.Equal(got, want))
			}
		}
		b += format.BlockID(max(run, missing))
	}
}

// soundStore opens a store that must find no damage.
func soundStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{Warn: func(err error) { t.Errorf("warning: %v", err) }})
	must(t, err)
	return s
}

// TestSharedWithDroppedFolder: a version shares blocks of one whose folder cannot be
// used and is dropped. The one that begins anew has another file: what is shared of it
// from then on is not read from the old one.
func TestSharedWithDroppedFolder(t *testing.T) {
	const blockSize, blocks = 4096, 40
	dir := t.TempDir()
	one := makeTarget(t, 1, blocks*blockSize, blockSize)
	two := one.changed(t, 2, 3)
	s, _ := openStore(t, dir)
	v1, v2 := one.open(t, s), two.open(t, s)
	one.putWhole(t, v1)
	must(t, v2.PutControl(two.control, 0))
	if shareAligned(t, v2, v1, two, one) == 0 {
		t.Fatal("nothing is shared")
	}
	folder := v1.path()
	must(t, v2.Close())
	must(t, v1.Close())
	must(t, s.Close())
	for _, name := range []string{metaName, controlName} {
		must(t, os.Truncate(filepath.Join(folder, name), 1))
	}
	must(t, os.WriteFile(filepath.Join(folder, dataName), bytes.Repeat([]byte("not this"), blocks*blockSize/8), 0o600))
	s, _ = openStore(t, dir)
	v2 = two.open(t, s) // which opens the old file of the other one
	defer v2.Close()
	if n := two.checkAll(t, v2); n != 0 {
		t.Fatalf("%d blocks are right", n)
	}
	v1 = one.open(t, s)
	defer v1.Close()
	one.putWhole(t, v1)
	var same []Shared
	for b := format.BlockID(0); b < blocks; b++ {
		if bytes.Equal(one.blocks(b, b+1), two.blocks(b, b+1)) {
			same = append(same, Shared{Blocks: format.BlockRange{Start: b, End: b + 1}, Off: int64(b) * blockSize, Checked: true, Moves: v1.Moves()})
		}
	}
	if n, err := v2.Share(v1, same); err != nil || n != int64(len(same)) {
		t.Errorf("%d of %d blocks are shared: %v", n, len(same), err)
	}
	if n := two.checkAll(t, v2); n != len(same) {
		t.Errorf("%d of %d blocks are right", n, len(same))
	}
}

// TestOneFileOfTwoVersions: the data files of two versions were swapped while one of
// them was open, so that the other one finds its file. Neither writes over the other's.
func TestOneFileOfTwoVersions(t *testing.T) {
	const blockSize, blocks = 4096, 20
	s, _ := openStore(t, t.TempDir())
	one, two := makeTarget(t, 1, blocks*blockSize, blockSize), makeTarget(t, 2, blocks*blockSize, blockSize)
	v1, v2 := one.open(t, s), two.open(t, s)
	one.fill(t, v1)
	must(t, v2.PutControl(two.control, 0))
	must(t, v2.Put(0, two.blocks(0, 5)))
	must(t, v1.Checkpoint())
	a, b := filepath.Join(v1.path(), dataName), filepath.Join(v2.path(), dataName)
	must(t, v2.Close())
	must(t, os.Rename(a, a+".between"))
	must(t, os.Rename(b, a))
	must(t, os.Rename(a+".between", b))
	v2 = two.open(t, s)
	two.checkAll(t, v2)
	must(t, v2.PutControl(two.control, 0))
	must(t, v2.Put(0, two.data))
	two.same(t, v2)
	if n := one.checkAll(t, v1); n != blocks {
		t.Errorf("%d of %d blocks are right", n, blocks)
	}
	must(t, v2.Close())
	must(t, v1.Close())
	v1, v2 = one.open(t, s), two.open(t, s)
	one.checkAll(t, v1)
	two.same(t, v2)
	must(t, v2.Close())
	must(t, v1.Close())
}
