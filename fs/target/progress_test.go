package target

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/forged"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// These tests are of what goes on when no reader waits for a block, and of reads that end.

// eventually waits for is to hold.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestFillWithoutRanges: a fill, and a strict target, are completed by a stream where the
// server answers no range request, although no read waits for a block.
func TestFillWithoutRanges(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"fill":   func(o *Options) { o.Fill = FillFull },
		"strict": func(o *Options) { o.Strict = true },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 6*mib, nil) // more than one batch
			f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.IgnoreRange})
			f.pool.SetOptions(change)
			tg := f.open()
			if name == "strict" {
				f.expect(tg, 0, 10)
			}
			eventually(t, "all is here", func() bool { return tg.version.KnownCount() == tg.geometry.BlockCount() })
			eventually(t, "verified", tg.isVerified)
		})
	}
}

// TestRepairWithoutRanges: so is a repair.
func TestRepairWithoutRanges(t *testing.T) {
	f := newFixture(t, 2*mib, wrongDigest)
	f.expect(f.open(), 0, len(f.data)/2)
	ctl := f.control()
	f.closeStore()
	f.openStore()
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.IgnoreRange})
	tg, err := f.pool.Open(ctl)
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	_, _ = tg.ReadAt(context.Background(), make([]byte, len(f.data)), 0)
	eventually(t, "suspect", func() bool { return tg.version.State() == blockstore.Suspect })
	eventually(t, "it has ended", func() bool { return !tg.busy() })
}

// TestReadBehindStreamEndsAtClose: a read of a block that the stream has passed ends when
// the target is closed.
func TestReadBehindStreamEndsAtClose(t *testing.T) {
	f := newFixture(t, 6*mib, nil)
	f.spoilVersions()
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.IgnoreRange})
	f.srv.SetRate(1 << 20)
	tg := f.open()
	f.expect(tg, mib, 4096)
	done := make(chan error, 1)
	go func() {
		_, err := tg.ReadAt(context.Background(), make([]byte, 10), 0)
		done <- err
	}()
	eventually(t, "it waits", func() bool {
		tg.mu.Lock()
		defer tg.mu.Unlock()
		return len(tg.pieces) > 0
	})
	go f.pool.Close()
	select {
	case err := <-done:
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the read goes on")
	}
}

// TestMirrorWithoutRanges: when the server that answers ranges is left alone for a moment,
// after a few wrong replies, a mirror that does not is no reason to stream all of it.
func TestMirrorWithoutRanges(t *testing.T) {
	s := newShelf(t, Options{})
	srv, mirror := s.server(), s.server()
	data := randomBytes(20 * mib)
	s.publish(srv, "/t.dat", data, format.BuilderOptions{BlockSize: 4096})
	mirror.Put("/t.dat", data)
	mirror.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.IgnoreRange})
	mirror.SetRate(300 << 10)
	base, err := url.Parse(mirror.URL("/"))
	if err != nil {
		t.Fatal(err)
	}
	s.pool = NewPool(s.store, s.client, Options{ReadDeadline: 10 * time.Second, Mirrors: []*url.URL{base}})
	tg := s.open(srv, "/t.dat")
	srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Flip, After: 10*mib + 5, Times: 3})
	p := make([]byte, 4096)
	first, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	_, _ = tg.ReadAt(first, p, 10*mib) // may fail
	cancel()
	time.Sleep(time.Second) // it is asked again
	for _, at := range []int64{12 * mib, 14 * mib} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if _, err := tg.ReadAt(ctx, p, at); err != nil || !bytes.Equal(p, data[at:at+4096]) {
			t.Errorf("read at %d MiB: %v", at>>20, err)
		}
		cancel()
	}
}

// TestReaderHurriesFill: a reader who needs what a fill asked for does not wait until those
// have ended who read something else from the same host.
func TestReaderHurriesFill(t *testing.T) {
	s := newShelf(t, Options{ReadDeadline: 15 * time.Second}) // less than the copy takes
	srv := s.server()
	copied, wanted := make([]byte, 64*mib), randomBytes(6*mib)
	rand.NewChaCha8([32]byte{9}).Read(copied)
	s.publish(srv, "/copied.img", copied, format.BuilderOptions{})
	s.publish(srv, "/wanted.dat", wanted, format.BuilderOptions{})
	srv.SetRate(3 * mib)
	copying := s.open(srv, "/copied.img")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		r, p := copying.NewReader(), make([]byte, 128<<10)
		for off := int64(0); ; off += int64(len(p)) {
			if _, err := r.ReadAt(ctx, p, off); err != nil {
				ended <- err
				return
			}
		}
	}()
	defer func() { cancel(); <-ended }()
	eventually(t, "it is being copied", func() bool { return copying.Stats().Local > 2000 })
	s.pool.SetOptions(func(o *Options) { o.Fill = FillFull })
	tg := s.open(srv, "/wanted.dat")
	eventually(t, "a fill has asked", func() bool {
		tg.mu.Lock()
		defer tg.mu.Unlock()
		return len(tg.flights) > 0
	})
	p := make([]byte, 4096)
	if _, err := tg.NewReader().ReadAt(context.Background(), p, 0); err != nil || !bytes.Equal(p, wanted[:4096]) {
		t.Error(err)
	}
}

// TestSearchPatience: how long a read waits for a search goes by what that has to look at,
// from when it is known on; before, it may be little.
func TestSearchPatience(t *testing.T) {
	s := &search{found: make(chan struct{}), waiting: 1}
	found := s.found
	for _, tt := range []struct {
		bytes int64
		want  time.Duration
	}{{0, 2 * soon}, {1, 2 * soon}, {1 << 40, singlePatience}} {
		s.expect(tt.bytes)
		if got := s.worthwhile(false, 0).Sub(s.began); got != tt.want {
			t.Errorf("%d bytes: %v, want %v", tt.bytes, got, tt.want)
		}
	}
	select {
	case <-found:
	default:
		t.Error("who waits does not look again")
	}
}

// TestStrictRepairServerGone: a read that waits for a repair ends at its deadline when the
// server is gone.
func TestStrictRepairServerGone(t *testing.T) {
	data := randomBytes(1 * mib)
	evil := withForged(t, data, forgedAt)
	s := newShelf(t, Options{Strict: true, ReadDeadline: 2 * time.Second})
	srv := s.server()
	s.publish(srv, "/x-1.img", evil, format.BuilderOptions{BlockSize: forgedBlock})
	s.publish(srv, "/x-2.img", data, format.BuilderOptions{BlockSize: forgedBlock, Lengths: forged.Cut})
	s.read(srv, "/x-1.img", evil, blockstore.Verified)
	srv.Add(rangetest.Rule{Path: "/x-2.img", Fault: rangetest.Status, Status: 503})
	tg := s.open(srv, "/x-2.img")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := tg.ReadAt(ctx, make([]byte, 10), 0); !errors.Is(err, ErrStalled) {
		t.Error(err)
	}
}

// TestCancelledReadAsksNothing: a reader that is gone before it begins has nothing fetched.
func TestCancelledReadAsksNothing(t *testing.T) {
	f := newFixture(t, 1*mib, nil)
	tg := f.open()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tg.ReadAt(ctx, make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	tg.mu.Lock()
	defer tg.mu.Unlock()
	if len(tg.flights) > 0 {
		t.Error("a fetch is under way")
	}
}

// TestMirrorStreamsInTheEnd: when what answers ranges has wrong bytes, a fetch that goes on
// without them is told so, and not that nobody serves.
func TestMirrorStreamsInTheEnd(t *testing.T) {
	for _, how := range []string{"other bytes", "wrong replies"} {
		t.Run(how, func(t *testing.T) {
			s := newShelf(t, Options{})
			srv, mirror := s.server(), s.server()
			data := randomBytes(4 * mib)
			s.publish(srv, "/t.dat", data, format.BuilderOptions{BlockSize: 4096})
			mirror.Put("/t.dat", data)
			mirror.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.IgnoreRange})
			if how == "other bytes" {
				other := make([]byte, len(data))
				rand.NewChaCha8([32]byte{3}).Read(other)
				srv.Put("/t.dat", other)
			} else {
				srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Flip, After: 2*mib + 5, Times: 3})
			}
			base, err := url.Parse(mirror.URL("/"))
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(srv.URL("/t.dat.zsync"))
			if err != nil {
				t.Fatal(err)
			}
			ctl, err := s.client.FetchControl(t.Context(), u, zsyncclient.Validators{}, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			source := s.client.NewSource(ctl, []*url.URL{base})
			records := func(_ context.Context, r format.BlockRange) ([]byte, error) {
				size := ctl.Header.RecordSize()
				return ctl.Records[int64(r.Start)*size : int64(r.End)*size], nil
			}
			arrived := func(format.BlockID, []byte) error { return nil }
			err = source.FetchRuns(t.Context(), []format.BlockRange{{Start: 100, End: 1000}}, zsyncclient.Foreground, records, arrived)
			if errors.Is(err, zsyncclient.ErrNoRanges) {
				err = source.FetchAll(t.Context(), records, arrived)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStrictStreamPasses: a strict read does not end while a stream passes what is here.
func TestStrictStreamPasses(t *testing.T) {
	f := newFixture(t, 8*mib, nil)
	f.expect(f.open(), 0, 6*mib)
	ctl := f.control()
	f.closeStore()
	f.deadline = 3 * time.Second // less than the stream needs for what is here
	f.openStore()
	f.pool.SetOptions(func(o *Options) { o.Strict = true })
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.IgnoreRange})
	f.srv.SetRate(1 * mib)
	tg, err := f.pool.Open(ctl)
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	f.expect(tg, 0, 10)
}

// TestSuspectWithoutStore: a small target that is wrong as a whole, of which the store keeps
// nothing, is suspect.
func TestSuspectWithoutStore(t *testing.T) {
	f := newFixture(t, 100_000, wrongDigest)
	f.spoilVersions()
	if _, err := f.open().ReadAt(t.Context(), make([]byte, 10), 0); !errors.Is(err, ErrSuspect) {
		t.Error(err)
	}
}
