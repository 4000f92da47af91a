package target

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

const mib = 1 << 20

func TestReadAtEveryShape(t *testing.T) {
	f := newFixture(t, 3*mib+777, nil)
	tg := f.open()
	length := int64(len(f.data))
	for _, c := range []struct {
		off int64
		n   int
	}{
		{0, 1}, {1, 4095}, {4095, 2}, {length - 1, 1}, {length - 5000, 5000},
		{length - 10, 100}, {length, 10}, {length + 5, 10}, {mib - 3, 70000}, {0, int(length)},
	} {
		f.expect(tg, c.off, c.n)
	}
	if n, err := tg.ReadAt(context.Background(), make([]byte, 4), length); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if _, err := tg.ReadAt(context.Background(), make([]byte, 4), -1); err == nil {
		t.Error("a negative offset was read")
	}
}

func TestRandomReadsFetchOnlyTheirBlocks(t *testing.T) {
	f := newFixture(t, 16*mib, nil)
	tg := f.open()
	const reads = 40
	for i := range reads {
		f.expect(tg, int64(i*97%4096)*4096, 4096)
	}
	bytes, requests := f.fetched("/t.dat")
	if bytes != reads*4096 || requests != reads {
		t.Errorf("%d reads of a block cost %d bytes in %d requests", reads, bytes, requests)
	}
	if records, _ := f.fetched("/t.dat.zsync"); records > reads*sliceLength+2<<10 {
		t.Errorf("the control file cost %d bytes", records)
	}
	for i := range reads {
		f.expect(tg, int64(i*97%4096)*4096+5, 4000)
	}
	// The rest of the control file may come meanwhile.
	if _, n := f.fetched("/t.dat"); n != requests {
		t.Errorf("reading again made %d requests", n-requests)
	}
}

func TestReadersShareOneFetch(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	f.srv.SetDelay(20 * time.Millisecond)
	tg := f.open()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { f.expect(tg, int64(i%3)*4096, 2*mib) })
	}
	wg.Wait()
	if bytes, _ := f.fetched("/t.dat"); bytes > 2*mib+2*4096 {
		t.Errorf("50 readers of the same 2 MiB cost %d bytes", bytes)
	}
}

func TestSequentialReaderFetchesAhead(t *testing.T) {
	f := newFixture(t, 24*mib, nil)
	tg := f.open()
	r := tg.NewReader()
	for off := int64(0); off < int64(len(f.data)); off += 128 << 10 {
		f.expect(r, off, 128<<10)
	}
	bytes, requests := f.fetched("/t.dat")
	if bytes != int64(len(f.data)) {
		t.Errorf("%d bytes were fetched of a target of %d", bytes, len(f.data))
	}
	if requests > 30 {
		t.Errorf("reading %d reads in order took %d requests", len(f.data)/(128<<10), requests)
	}
}

func TestRandomReaderFetchesNothingAhead(t *testing.T) {
	f := newFixture(t, 16*mib, nil)
	r := f.open().NewReader()
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[int64]bool{}
	for range 50 {
		block := rng.Int64N(2000)*2 + 1
		seen[block] = true
		f.expect(r, block*4096, 4096)
	}
	if bytes, _ := f.fetched("/t.dat"); bytes != int64(len(seen))*4096 {
		t.Errorf("%d random blocks cost %d bytes", len(seen), bytes)
	}
}

func TestBlocksOutliveTheProcess(t *testing.T) {
	f := newFixture(t, 8*mib, nil)
	tg := f.open()
	f.expect(tg, 3*mib, mib)
	ctl := f.control()
	f.closeStore()
	f.openStore()
	f.srv.Stop()
	tg, err := f.pool.Open(ctl)
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	f.expect(tg, 3*mib, mib)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := tg.ReadAt(ctx, make([]byte, 10), 0); err == nil {
		t.Error("a block that was never fetched was read without a server")
	}
}

func TestWrongBytesNeverReachAReader(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Flip, After: mib + 5, Every: mib})
	tg := f.open()
	f.expect(tg, 0, mib)
	_, err := tg.ReadAt(context.Background(), make([]byte, 10), mib)
	var failed *zsyncclient.SourceError
	if !errors.As(err, &failed) || !errors.Is(err, zsyncclient.ErrWrongBlocks) {
		t.Fatalf("a flipped block: %v", err)
	}
	f.expect(tg, 0, mib)
}

func TestStreamWithoutRanges(t *testing.T) {
	f := newFixture(t, 6*mib, nil)
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.IgnoreRange})
	tg := f.open()
	var wg sync.WaitGroup
	for _, off := range []int64{5 * mib, 0, 3 * mib} {
		wg.Go(func() { f.expect(tg, off, mib) })
	}
	wg.Wait()
	f.expect(tg, 0, len(f.data))
	// Bytes are no measure: what a server sends before it sees a body refused
	// depends on the sockets' buffers.
	if _, requests := f.fetched("/t.dat"); requests > 5 {
		t.Errorf("%d requests", requests)
	}
}

func TestLeavingCancelsNothing(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	f.srv.SetDelay(200 * time.Millisecond)
	tg := f.open()
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan error)
	go func() {
		_, err := tg.ReadAt(ctx, make([]byte, mib), 0)
		started <- err
	}()
	for tg.Stats().Flights == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-started; !errors.Is(err, context.Canceled) {
		t.Errorf("the reader that left got %v", err)
	}
	f.expect(tg, 0, mib)
	if bytes, requests := f.fetched("/t.dat"); bytes != mib || requests != 1 {
		t.Errorf("%d bytes in %d requests: the fetch did not go on", bytes, requests)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.StallHeader})
	tg := f.open()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := tg.ReadAt(ctx, make([]byte, 10), 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stalled read: %v", err)
	}
}

// wrongDigest breaks every whole-file digest of a control file.
func wrongDigest(head string) string {
	lines := strings.Split(head, "\n")
	for i, line := range lines {
		if name, value, _ := strings.Cut(line, ": "); name == "SHA-1" {
			lines[i] = "SHA-1: " + strings.Repeat("0", len(value))
		}
	}
	return strings.Join(lines, "\n")
}

func TestSmallTargetIsVerifiedBeforeItsFirstByte(t *testing.T) {
	f := newFixture(t, 100_000, wrongDigest)
	tg := f.open()
	if n, err := tg.ReadAt(context.Background(), make([]byte, 10), 0); n != 0 || !errors.Is(err, ErrSuspect) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if tg.version.State() != blockstore.Suspect {
		t.Error("the state is", tg.version.State())
	}
}

func TestLargeTargetBecomesSuspect(t *testing.T) {
	f := newFixture(t, 2*mib, wrongDigest)
	tg := f.open()
	f.expect(tg, 0, mib)
	for off := int64(0); tg.version.State() != blockstore.Suspect; off = (off + 4096) % (2 * mib) {
		tg.ReadAt(context.Background(), make([]byte, 4096), off)
	}
	for {
		f.mu.Lock()
		told := len(f.wrong)
		f.mu.Unlock()
		if told == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := tg.ReadAt(context.Background(), make([]byte, 10), 0); !errors.Is(err, ErrSuspect) {
		t.Errorf("a suspect target was read: %v", err)
	}
}

func TestCompleteTargetBecomesVerified(t *testing.T) {
	f := newFixture(t, 2*mib+5, nil)
	tg := f.open()
	f.expect(tg, 0, len(f.data))
	for tg.version.State() != blockstore.Verified {
		time.Sleep(time.Millisecond)
	}
}

func TestReplacedOnTheServer(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	tg := f.open()
	f.expect(tg, 0, mib)
	other := randomBytes(5 * mib)[mib:]
	other[0]++
	f.srv.Put("/t.dat", other)
	f.srv.Put("/t.dat.zsync", controlOf(t, other, 2048, nil))
	f.expect(tg, 0, mib)
	for _, off := range []int64{2 * mib, 3 * mib} {
		if _, err := tg.ReadAt(context.Background(), make([]byte, 10), off); !errors.Is(err, ErrTargetChanged) {
			t.Errorf("a block of the replaced file at %d: %v", off, err)
		}
	}
}

func TestTheRestOfTheControlFileFollows(t *testing.T) {
	f := newFixture(t, 16*mib, nil)
	tg := f.open()
	f.expect(tg, 0, 4096)
	if len(tg.version.ControlMissing()) == 0 {
		t.Fatal("one block brought the whole control file")
	}
	f.expect(tg, 0, mib)
	for whole := false; !whole; _, whole = tg.version.ID() {
		time.Sleep(time.Millisecond)
	}
	if missing := tg.version.ControlMissing(); len(missing) > 0 {
		t.Errorf("it has an ID, and misses %v", missing)
	}
}

func TestEmptyTarget(t *testing.T) {
	f := newFixture(t, 0, nil)
	tg := f.open()
	if n, err := tg.ReadAt(context.Background(), make([]byte, 10), 0); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
}

func TestPoolSharesAndCloses(t *testing.T) {
	f := newFixture(t, mib, nil)
	ctl := f.control()
	var targets []*Target
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			tg, err := f.pool.Open(ctl)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			targets = append(targets, tg)
			mu.Unlock()
		})
	}
	wg.Wait()
	for _, tg := range targets {
		if tg != targets[0] {
			t.Fatal("the same control file was opened twice")
		}
		tg.Close()
	}
	if err := f.pool.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.pool.Open(ctl); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed pool opens: %v", err)
	}
	if _, err := targets[0].ReadAt(context.Background(), make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed target reads: %v", err)
	}
}

func TestRottenBlocksAreFetchedAgain(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	tg := f.open()
	f.expect(tg, 0, mib)
	ctl := f.control()
	f.closeStore()
	rot(t, f.dir, 100*4096+9)
	f.openStore()
	tg, err := f.pool.Open(ctl)
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	before, _ := f.fetched("/t.dat")
	f.expect(tg, 0, mib)
	if after, _ := f.fetched("/t.dat"); after != before+4096 {
		t.Errorf("one rotten block cost %d bytes", after-before)
	}
}

// TestRecordsMendedUnderTheSameHeader publishes a control file whose records
// are wrong, and then the right one; the header is the same.
func TestRecordsMendedUnderTheSameHeader(t *testing.T) {
	f := newFixture(t, 2*mib, nil)
	right := controlOf(t, f.data, 4096, nil)
	wrong := append([]byte(nil), right...)
	for i := len(wrong) - 20*512; i < len(wrong); i++ {
		wrong[i] = 0
	}
	f.srv.Put("/t.dat.zsync", wrong)
	open := func() *Target {
		ctl, err := f.client.FetchControl(context.Background(), f.controlURL(), zsyncclient.Validators{}, 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		tg, err := f.pool.Open(ctl)
		if err != nil {
			t.Fatal(err)
		}
		return tg
	}
	tg := open()
	if _, err := tg.ReadAt(context.Background(), make([]byte, 10), 0); err == nil {
		t.Error("blocks without a right record were read")
	}
	tg.Close()
	f.closeStore()
	f.srv.Put("/t.dat.zsync", right)
	f.openStore()
	tg = open()
	defer tg.Close()
	f.expect(tg, 0, len(f.data))
}
