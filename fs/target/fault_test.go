package target

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

func TestStalledFlightLooksLikeNothingElse(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	f.closeStore()
	f.deadline = 100 * time.Millisecond
	f.openStore()
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.StallHeader})
	_, err := f.open().ReadAt(context.Background(), make([]byte, 10), 0)
	if !errors.Is(err, ErrStalled) || errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		t.Errorf("a stalled flight: %v", err)
	}
}

func TestBlockBehindAStreamIsFetched(t *testing.T) {
	f := newFixture(t, 6*mib, nil)
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.IgnoreRange})
	f.srv.SetRate(20 << 20)
	tg := f.open()
	f.expect(tg, mib, 4096) // the stream is past block 0, and goes on
	if err := tg.version.Forget(format.BlockRange{End: 1}); err != nil {
		t.Fatal(err)
	}
	f.expect(tg, 0, 4096)
}

func TestReadsOfAClosedTargetEnd(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	tg := f.open()
	if err := f.pool.Close(); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if err := tg.readMissing(context.Background(), p, 0, false); !errors.Is(err, ErrClosed) {
		t.Errorf("a read that came after the close: %v", err)
	}
}

func TestVerificationIsResumed(t *testing.T) {
	f := newFixture(t, 2*mib, wrongDigest)
	tg := f.open()
	tg.mu.Lock()
	tg.verifying = true // as if it were cut short below
	tg.mu.Unlock()
	f.expect(tg, 0, len(f.data))
	ctl := f.control()
	f.closeStore()
	f.openStore()
	tg, err := f.pool.Open(ctl)
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	for tg.version.State() != blockstore.Suspect {
		time.Sleep(time.Millisecond)
	}
}

func TestSuspectVersionRests(t *testing.T) {
	f := newFixture(t, 100_000, wrongDigest)
	ctl := f.control()
	attempt := func() int {
		t.Helper()
		tg, err := f.pool.Open(ctl)
		if err != nil {
			t.Fatal(err)
		}
		defer tg.Close()
		if _, err := tg.ReadAt(context.Background(), make([]byte, 10), 0); !errors.Is(err, ErrSuspect) {
			t.Fatalf("a wrong digest: %v", err)
		}
		_, requests := f.fetched("/t.dat")
		return requests
	}
	first := attempt()
	for range 3 {
		if n := attempt(); n != first {
			t.Fatalf("it was fetched again at once: %d requests after %d", n, first)
		}
	}
	f.pool.mu.Lock()
	for key, plan := range f.pool.rests {
		if plan.pause != suspectPause {
			t.Errorf("the first pause is %v", plan.pause)
		}
		plan.until = time.Now()
		f.pool.rests[key] = plan
	}
	f.pool.mu.Unlock()
	if n := attempt(); n == first {
		t.Error("it was not fetched again after its rest")
	}
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	for _, plan := range f.pool.rests {
		if plan.pause != 2*suspectPause {
			t.Errorf("the second pause is %v", plan.pause)
		}
	}
}

// TestRestsAreForgotten: of a version that nobody asks for any more no pause is remembered.
func TestRestsAreForgotten(t *testing.T) {
	p := NewPool(nil, nil, Options{})
	old, lately := blockstore.Key{1}, blockstore.Key{2}
	p.rest(old)
	p.rest(lately)
	plan := p.rests[old]
	plan.until = time.Now().Add(-suspectPauseLimit - time.Second)
	p.rests[old] = plan
	p.rest(lately)
	if _, ok := p.rests[old]; ok || p.rests[lately].pause != 2*suspectPause {
		t.Errorf("pauses %v", p.rests)
	}
}

// TestRecordsThatDoNotCome: a flight waits for records that another one asked for before
// it, and for its own time, not for what is left of theirs.
func TestRecordsThatDoNotCome(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	f.closeStore()
	f.deadline = time.Second
	f.openStore()
	tg := f.open()
	f.srv.Add(rangetest.Rule{Path: "/t.dat.zsync", Fault: rangetest.StallHeader})
	read := func(block int64) (time.Duration, error) {
		began := time.Now()
		_, err := tg.ReadAt(context.Background(), make([]byte, 10), block*4096)
		return time.Since(began), err
	}
	first := make(chan error, 1)
	go func() {
		_, err := read(500)
		first <- err
	}()
	time.Sleep(f.deadline / 2)
	took, err := read(510)
	if !errors.Is(err, ErrStalled) || took < f.deadline*3/4 {
		t.Errorf("a flight that waited for records: %v after %v", err, took)
	}
	if err := <-first; !errors.Is(err, ErrStalled) || !strings.Contains(err.Error(), "fetch records") {
		t.Errorf("the flight that asked for them: %v", err)
	}
}

// TestStreamThatBreaksOff: of a server without ranges whose body always breaks off at the
// same place, reads of what is behind it end with their context, and those before it do
// not suffer. It is asked seldom.
func TestStreamThatBreaksOff(t *testing.T) {
	f := newFixture(t, 6*mib, nil)
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.ShortBody, Whole: true, After: 3 * mib})
	tg := f.open()
	f.expect(tg, 2*mib, 10)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if _, err := tg.ReadAt(ctx, make([]byte, 10), 5*mib); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read behind the break: %v", err)
	}
	f.expect(tg, mib, mib)
	if _, requests := f.fetched("/t.dat"); requests > 11 {
		t.Errorf("%d requests in 3 s", requests)
	}
}
