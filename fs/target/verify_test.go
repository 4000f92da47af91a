package target

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/forged"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// victim is a published file that was read and verified, its block at byte forgedAt, and
// another that agrees with the same record.
type victim struct {
	*Target
	data, fake []byte
	block      format.BlockRange
}

const forgedAt = 700 * forgedBlock

// withForged is data with another block at byte at, which agrees with the same record.
func withForged(t *testing.T, data []byte, at int) []byte {
	t.Helper()
	out := bytes.Clone(data)
	copy(out[at:], forge(t, data[at:at+forgedBlock]))
	return out
}

func newVictim(t *testing.T, o Options) victim {
	t.Helper()
	data := randomBytes(1 * mib)
	evil := withForged(t, data, forgedAt)
	s := newShelf(t, o)
	srv := s.server()
	s.publish(srv, "/x.img", data, format.BuilderOptions{BlockSize: forgedBlock, Lengths: forged.Cut})
	tg := s.read(srv, "/x.img", data, blockstore.Verified)
	srv.Put("/x.img", evil)
	return victim{tg, data, evil[forgedAt:][:forgedBlock], tg.geometry.Covering(format.Range{Start: forgedAt, End: forgedAt + 1})}
}

// TestLostBlockOfVerified: what comes for a reader of a verified version is what was
// verified, also when somebody else was faster.
func TestLostBlockOfVerified(t *testing.T) {
	v := newVictim(t, Options{})
	for _, faster := range []bool{false, true} {
		if err := v.version.Forget(v.block); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, forgedBlock)
		q := v.await1(p)
		if faster { // the flight of another mount
			if err := v.version.Replace(v.block.Start, v.data[forgedAt:forgedAt+forgedBlock]); err != nil {
				t.Fatal(err)
			}
		}
		f := &flight{runs: []format.BlockRange{v.block}}
		if err := v.deliver(f, v.block.Start, v.fake); !errors.Is(err, blockstore.ErrOtherContent) {
			t.Errorf("faster %v: %v", faster, err)
		}
		select {
		case <-q.done:
			t.Errorf("faster %v: a reader got other bytes", faster)
		default:
		}
		v.leave([]*piece{q})
	}
}

// TestStrictLostBlock: where only what was verified is served, a block that was lost and
// of which nobody knows what it was, is not, before the whole is verified anew.
func TestStrictLostBlock(t *testing.T) {
	v := newVictim(t, Options{Strict: true})
	for _, name := range versionFiles(t, v.store, "manifest") {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.version.Forget(v.block); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, forgedBlock)
	n, err := v.ReadAt(context.Background(), p, forgedAt)
	if err == nil && !bytes.Equal(p[:n], v.data[forgedAt:forgedAt+forgedBlock]) {
		t.Errorf("other bytes are served, of a version that is %v", v.version.State())
	}
}

// TestSmallForged: a block of a small target that was found here and matches by chance is
// fetched, as of a large one; no read fails.
func TestSmallForged(t *testing.T) {
	const at = 60 << 10
	data := randomBytes(1 * mib)[forgedAt-at:][:160<<10] // whose forgery is known
	evil := withForged(t, data, at)
	s := newShelf(t, Options{})
	srv := s.server()
	s.publish(srv, "/x-1.img", evil, format.BuilderOptions{BlockSize: forgedBlock})
	s.publish(srv, "/x-2.img", data, format.BuilderOptions{BlockSize: forgedBlock, Lengths: forged.Cut})
	s.read(srv, "/x-1.img", evil, blockstore.Verified)
	tg := s.read(srv, "/x-2.img", data, blockstore.Verified)
	if n := tg.totals.repaired.Load(); n != 1 {
		t.Errorf("%d repairs", n)
	}
}

// TestSmallVerifiedInMemory: a small target that the store did not take as a whole is not
// verified there.
func TestSmallVerifiedInMemory(t *testing.T) {
	f := newFixture(t, 40*4096, nil)
	tg := f.open()
	f.expect(tg, 0, 100) // brings all of it here, and verifies it
	for tg.busy() {
		time.Sleep(time.Millisecond)
	}
	if err := tg.version.SetState(blockstore.Provisional); err != nil { // as of one for which there was no room
		t.Fatal(err)
	}
	block := format.BlockRange{Start: 5, End: 6}
	if err := tg.version.Forget(block); err != nil {
		t.Fatal(err)
	}
	if tg.keepOnly(f.data) {
		t.Error("block 5 is not missed")
	}
	if err := tg.version.Put(block.Start, bytes.Repeat([]byte{1}, 4096)); err != nil {
		t.Fatal(err)
	}
	if tg.keepOnly(f.data) {
		t.Error("block 5 is not another")
	}
	f.expect(tg, 0, len(f.data))
	if !tg.keepOnly(f.data) {
		t.Error("it is all here")
	}
}

// TestCameWithoutRoom: what the store did not take does not count as come from the server:
// what is found here later in its place is doubtful.
func TestCameWithoutRoom(t *testing.T) {
	f := newFixture(t, 1*mib, nil)
	tg := f.open()
	f.store.SetLimits(blockstore.Limits{Size: 1})
	block := format.BlockRange{Start: 5, End: 6}
	if err := tg.deliver(&flight{runs: []format.BlockRange{block}}, block.Start, f.data[5*4096:6*4096]); err != nil {
		t.Fatal(err)
	}
	tg.mu.Lock()
	defer tg.mu.Unlock()
	if tg.came.has(block.Start) || tg.noRoom == nil {
		t.Error("block 5 counts as come")
	}
}

// TestSmallPieceFindsRoom: that a small piece of a flight finds room after a large one did
// not is no reason to fetch all of what is missing once more.
func TestSmallPieceFindsRoom(t *testing.T) {
	f := newFixture(t, 1*mib, nil)
	tg := f.open()
	if _, err := tg.records(t.Context(), tg.geometry.All()); err != nil {
		t.Fatal(err)
	}
	f.store.SetLimits(blockstore.Limits{Size: 256 << 10})
	all := &flight{runs: []format.BlockRange{tg.geometry.All()}}
	deliver := func(f *flight, first format.BlockID, data []byte) error {
		t.Helper()
		if err := tg.deliver(f, first, data); err != nil {
			t.Fatal(err)
		}
		tg.mu.Lock()
		defer tg.mu.Unlock()
		return tg.noRoom
	}
	if err := deliver(all, 0, f.data[:512<<10]); err == nil {
		t.Fatal("there is room for 512 KiB")
	}
	err := deliver(all, 200, f.data[200*4096:201*4096])
	if known, _ := tg.version.Known(200, 201); known == 0 || err == nil {
		t.Errorf("%d of 1 block, %v", known, err)
	}
	if err := deliver(&flight{}, 201, f.data[201*4096:202*4096]); err != nil {
		t.Errorf("another flight: %v", err)
	}
}

// versionFiles are the files of this name of the versions in the store.
func versionFiles(t *testing.T, s *blockstore.Store, name string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.Dir(), "versions", "*", name))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestSmallLostAtLoad: a small target without a manifest, of which the disk lost blocks, is
// verified anew before a byte of it is served.
func TestSmallLostAtLoad(t *testing.T) {
	const at = 60 << 10
	data := randomBytes(1 * mib)[forgedAt-at:][:160<<10]
	evil := withForged(t, data, at)
	s := newShelf(t, Options{})
	srv := s.server()
	s.publish(srv, "/x.img", data, format.BuilderOptions{BlockSize: forgedBlock, Lengths: forged.Cut})
	s.read(srv, "/x.img", data, blockstore.Verified)
	if err := s.pool.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range versionFiles(t, s.store, "manifest") {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	known := versionFiles(t, s.store, "known")
	if len(known) != 1 {
		t.Fatal(known)
	}
	if err := os.Truncate(known[0], 0); err != nil {
		t.Fatal(err)
	}
	srv.Put("/x.img", evil)
	s.pool = NewPool(s.store, s.client, Options{})
	p := make([]byte, forgedBlock)
	_, err := s.open(srv, "/x.img").NewReader().ReadAt(context.Background(), p, at)
	if err == nil && !bytes.Equal(p, data[at:at+forgedBlock]) {
		t.Error("a small target serves other bytes")
	}
}

// TestStrictUnreadable: a disk that takes blocks and does not give them back costs a fetch
// for each read, and not the read.
func TestStrictUnreadable(t *testing.T) {
	s := newShelf(t, Options{Strict: true})
	srv := s.server()
	data := randomBytes(1 * mib)
	s.publish(srv, "/x.img", data, format.BuilderOptions{BlockSize: 4096})
	tg := s.read(srv, "/x.img", data, blockstore.Verified)
	unreadable(t, s.store)
	p := make([]byte, 4096)
	for i := range 4 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if _, err := tg.ReadAt(ctx, p, 100*4096); err != nil || !bytes.Equal(p, data[100*4096:][:4096]) {
			t.Errorf("read %d: %v", i, err)
		}
		cancel()
	}
}

// unreadable has reads of the data file that the store has open fail.
func unreadable(t *testing.T, s *blockstore.Store) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range open {
		path, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || !strings.HasPrefix(path, s.Dir()) || filepath.Base(path) != "data" {
			continue
		}
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup3(int(f.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// TestStrictProvisionalAgain: what is all here and provisional again, as after a failed
// fdatasync, is verified when it is read.
func TestStrictProvisionalAgain(t *testing.T) {
	s := newShelf(t, Options{Strict: true, ReadDeadline: 10 * time.Second})
	srv := s.server()
	data := randomBytes(1 * mib)
	s.publish(srv, "/x.img", data, format.BuilderOptions{BlockSize: 4096})
	tg := s.read(srv, "/x.img", data, blockstore.Verified)
	if err := tg.version.SetState(blockstore.Provisional); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4096)
	if _, err := tg.NewReader().ReadAt(context.Background(), p, 0); err != nil || !bytes.Equal(p, data[:4096]) {
		t.Error(err)
	}
}

// TestLateSearchVerifies: what a search completes, which began when the control file had
// come, is verified, and repaired.
func TestLateSearchVerifies(t *testing.T) {
	data := randomBytes(1 * mib)
	evil := withForged(t, data, forgedAt)
	s := newShelf(t, Options{Fill: FillOff})
	srv := s.server()
	s.publish(srv, "/a/qqqqqqqq.img", evil, format.BuilderOptions{BlockSize: forgedBlock})
	s.publish(srv, "/b/zz.bin", data, format.BuilderOptions{BlockSize: forgedBlock, Lengths: forged.Cut})
	s.read(srv, "/a/qqqqqqqq.img", evil, blockstore.Verified)
	eventually(t, "it has a sketch", func() bool {
		n := 0
		if err := s.store.Sketches(func(blockstore.Key, []byte) { n++ }); err != nil {
			t.Fatal(err)
		}
		return n > 0
	})
	tg := s.open(srv, "/b/zz.bin")
	p := make([]byte, 64<<10)
	if _, err := tg.ReadAt(context.Background(), p, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "verified", tg.isVerified)
	if _, err := tg.ReadAt(context.Background(), p[:forgedBlock], forgedAt); err != nil || !bytes.Equal(p[:forgedBlock], data[forgedAt:forgedAt+forgedBlock]) {
		t.Errorf("other bytes: %v", err)
	}
}

// TestSuspectOfAnother: two URLs that differ in their queries have one version; what one
// target found of it is so for the other.
func TestSuspectOfAnother(t *testing.T) {
	f := newFixture(t, 2*mib, wrongDigest)
	open := func(query string) *Target {
		u, err := url.Parse(f.srv.URL("/t.dat.zsync") + query)
		if err != nil {
			t.Fatal(err)
		}
		ctl, err := f.client.FetchControl(context.Background(), u, zsyncclient.Validators{}, 1<<10)
		if err != nil {
			t.Fatal(err)
		}
		tg, err := f.pool.Open(ctl)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tg.Close)
		return tg
	}
	a, b := open("?sig=1"), open("?sig=2")
	if a == b || a.version != b.version {
		t.Fatal("they are one target, or two versions")
	}
	f.expect(a, 0, len(f.data))
	eventually(t, "suspect", func() bool { return a.version.State() == blockstore.Suspect })
	if _, err := b.ReadAt(context.Background(), make([]byte, 10), 0); !errors.Is(err, ErrSuspect) {
		t.Errorf("a suspect version is served: %v", err)
	}
}

// TestFedIsStored: a block that came from elsewhere while its flight was under way, which
// brings another that agrees: the reader gets what the store has then.
func TestFedIsStored(t *testing.T) {
	v := newVictim(t, Options{})
	if err := v.version.SetState(blockstore.Provisional); err != nil {
		t.Fatal(err)
	}
	p, q := make([]byte, forgedBlock), make([]byte, forgedBlock)
	v.await1(p)
	if err := v.deliver(&flight{}, v.block.Start, v.fake); err != nil {
		t.Fatal(err)
	}
	if _, err := v.version.ReadAt(q, forgedAt); err != nil || !bytes.Equal(p, q) {
		t.Errorf("a reader has others than the store: %v", err)
	}
}

// await1 has a piece wait for the block, as a read into p does.
func (v victim) await1(p []byte) *piece {
	v.mu.Lock()
	defer v.mu.Unlock()
	q := &piece{blocks: v.block, left: 1, got: make([]uint64, 1), done: make(chan struct{}), dst: p, off: forgedAt}
	v.pieces = append(v.pieces, q)
	return q
}
