package zsyncclient

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

var errTest = errors.New("test failure")

func enter(t *testing.T, h *host, cl class, pri Priority) *visit {
	t.Helper()
	v, err := h.enter(context.Background(), cl, pri, 0)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// However many wait, one try is made at the end of each backoff slot.
func TestOneTryPerSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost("h:80", 8)
		enter(t, h, control, Foreground).fail(errTest, 0, false)
		const callers, slots = 50, 6
		tries, passed := 0, 0
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for {
					v := enter(t, h, control, Foreground)
					mu.Lock()
					tries++
					fails := tries <= slots
					if !fails {
						passed++
					}
					mu.Unlock()
					time.Sleep(time.Millisecond)
					if !fails {
						v.ok()
						return
					}
					v.fail(errTest, 0, false)
				}
			})
		}
		start := time.Now()
		wg.Wait()
		if passed != callers || tries != callers+slots {
			t.Errorf("%d tries for %d callers and %d failed slots", tries, callers, slots)
		}
		// 150 ms doubling, seven times, with jitter.
		if took := time.Since(start); took < 14*time.Second || took > 25*time.Second {
			t.Errorf("took %v", took)
		}
		if n, _ := h.retire(); n.errors != slots+1 {
			t.Errorf("%d errors counted", n.errors)
		}
	})
}

// Tries that were under way together and all fail are one failed slot.
func TestFailuresTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost("h:80", 8)
		var vs []*visit
		for range 5 {
			vs = append(vs, enter(t, h, control, Foreground))
		}
		for _, v := range vs {
			v.fail(errTest, 0, false)
		}
		if h.level != 1 || h.readyIn() > 250*time.Millisecond {
			t.Errorf("level %d, slot %v", h.level, h.readyIn())
		}
	})
}

// A host that failed and is well again before a waiter looked gives it no error.
func TestWellAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost("h:80", 3)
		first := enter(t, h, data, Foreground)
		waiter := make(chan error, 1)
		go func() {
			v, err := h.enter(t.Context(), data, Foreground, 0)
			if err == nil {
				v.ok()
			}
			waiter <- err
		}()
		synctest.Wait()
		h.mu.Lock() // as if another try had failed, and the next one had not
		h.generation++
		h.wakeAll()
		h.mu.Unlock()
		synctest.Wait()
		first.ok()
		if err := <-waiter; err != nil {
			t.Error(err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost("h:80", 8)
		enter(t, h, data, Foreground).fail(errTest, 7*time.Second, true)
		if d := h.readyIn(); d < 7*time.Second || d > 8*time.Second {
			t.Errorf("slot of %v for Retry-After: 7", d)
		}
		if h.limit != 4 {
			t.Errorf("limit %d after being told to slow down", h.limit)
		}
		start := time.Now()
		enter(t, h, data, Foreground).fail(errTest, time.Hour, false)
		if took := time.Since(start); took < 7*time.Second {
			t.Errorf("entered after %v", took)
		}
		if d := h.readyIn(); d > maxRetryAfter {
			t.Errorf("slot of %v", d)
		}
		for range 200 {
			time.Sleep(time.Minute)
			enter(t, h, data, Foreground).ok()
		}
		if h.limit != 8 || h.level != 0 {
			t.Errorf("limit %d, level %d after many successes", h.limit, h.level)
		}
	})
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-1": 0, "x": 0, "99999999999999999999": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", text, got, want)
		}
	}
}

func TestGatePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost("h:80", 8)
		enter(t, h, control, Foreground).fail(errTest, time.Minute, false)
		start := time.Now()
		var backoff *backoffError
		if _, err := h.enter(context.Background(), control, Foreground, 2*time.Second); !errors.As(err, &backoff) || !errors.Is(err, errTest) {
			t.Errorf("slot beyond the patience: %v", err)
		}
		if time.Since(start) != 0 {
			t.Error("waited in vain")
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if _, err := h.enter(ctx, data, Foreground, 0); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errTest) {
			t.Errorf("context ended: %v", err)
		}
		// A data request that waits through a failed slot looks elsewhere.
		probe := make(chan *visit)
		go func() { probe <- enter(t, h, control, Foreground) }()
		v := <-probe
		done := make(chan error)
		go func() {
			_, err := h.enter(context.Background(), data, Foreground, 0)
			done <- err
		}()
		synctest.Wait()
		v.fail(errTest, 0, false)
		if err := <-done; !errors.As(err, &backoff) {
			t.Errorf("after a failed slot: %v", err)
		}
		if h.foreground != 0 || h.waiting != 0 {
			t.Errorf("%d foreground, %d waiting are left", h.foreground, h.waiting)
		}
	})
}

func TestPriorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost("h:80", 4)
		fg := enter(t, h, data, Foreground)
		in := make(chan *visit, 1)
		go func() { in <- enter(t, h, data, Background) }()
		synctest.Wait()
		if len(in) != 0 {
			t.Fatal("background got in beside foreground")
		}
		fg.ok()
		bg := <-in
		// Background leaves room for a foreground request, data for control.
		a := enter(t, h, data, Foreground)
		b := enter(t, h, control, Foreground)
		c := enter(t, h, control, Foreground)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := h.enter(ctx, control, Foreground, 0); err == nil {
			t.Error("more requests than connections")
		}
		for _, v := range []*visit{a, b, c, bg} {
			v.ok()
			v.ok() // ending twice changes nothing
		}
		// With one connection left, a data request that waits for records does
		// not keep them away.
		h = newHost("h:80", 1)
		v := enter(t, h, data, Foreground)
		enter(t, h, control, Foreground).ok()
		v.ok()
		if h.controls+h.datas+h.foreground != 0 {
			t.Errorf("left over: %d %d %d", h.controls, h.datas, h.foreground)
		}
	})
}

// Many readers of a host that fails do not multiply its requests.
func TestManyReadersOneTry(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Status, Status: 503, Times: 3})
	s := f.source()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			k := &sink{f: f, next: format.BlockID(i)}
			r := format.BlockRange{Start: k.next, End: k.next + 1}
			if err := s.Fetch(shortly(t, 30*time.Second), r, Foreground, f.records, k.deliver); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// The first three may be under way at once; then the gate is shut.
	if n := f.srv.Count(""); n > 43 {
		t.Errorf("%d requests for 40 blocks", n)
	}
}

// No goroutine or connection is left of bodies that were given up.
func TestAbortedBodies(t *testing.T) {
	f := newFixture(t, fixtureOptions{length: 8 << 20})
	s := f.source()
	stop := errors.New("enough")
	for range 30 {
		err := s.Fetch(context.Background(), f.all(), Foreground, f.records, func(format.BlockID, []byte) error { return stop })
		if err != stop {
			t.Fatal(err)
		}
	}
	f.srv.Wait() // the handlers end only when their connections do
	if got := f.srv.Bytes(""); got > 30*8<<20*3/4 {
		t.Errorf("%d bytes sent for bodies that nobody wanted", got)
	}
	h := f.c.host(f.url)
	if h.datas+h.controls+h.foreground != 0 {
		t.Error("the host's gate counts requests that ended")
	}
}

// With a single connection, records that are fetched while blocks stream do not
// wait for the blocks that wait for them.
func TestRecordsWhileFetching(t *testing.T) {
	f := newFixture(t, fixtureOptions{client: func(o *Options) { o.MaxConnsPerHost = 1 }})
	records := func(ctx context.Context, r format.BlockRange) ([]byte, error) {
		var out []byte
		err := f.c.FetchControlRange(ctx, f.ctl(), f.header.RecordRange(r), func(_ int64, p []byte) error {
			out = append(out, p...)
			return nil
		})
		return out, err
	}
	k := &sink{f: f}
	if err := f.source().Fetch(shortly(t, 20*time.Second), f.all(), Foreground, records, k.deliver); err != nil {
		t.Fatal(err)
	}
}

// A slow line is no stall, and blocks do not wait for a full run on it.
func TestDrip(t *testing.T) {
	f := newFixture(t, fixtureOptions{length: 1100, blockSize: 512, client: func(o *Options) { o.StallTimeout = time.Second }})
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Drip, Delay: time.Millisecond})
	runs := 0
	k := &sink{f: f}
	err := f.source().Fetch(shortly(t, 20*time.Second), f.all(), Foreground, f.records, func(first format.BlockID, p []byte) error {
		runs++
		return k.deliver(first, p)
	})
	if err != nil || runs != 3 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

// What is received and brings nothing new is no progress: a server whose bodies always
// break off at the same place is asked ever more seldom.
func TestBrokenInVain(t *testing.T) {
	all := func(ctx context.Context, f *fixture) error {
		return f.source().FetchAll(ctx, f.records, func(format.BlockID, []byte) error { return nil })
	}
	records := func(ctx context.Context, f *fixture) error {
		return f.c.FetchControlRange(ctx, f.ctl(), f.header.RecordRange(f.all()), func(int64, []byte) error { return nil })
	}
	header := func(ctx context.Context, f *fixture) error {
		_, err := f.c.FetchControl(ctx, f.url, Validators{}, 120_000)
		return err
	}
	for name, tc := range map[string]struct {
		blockSize int64
		path      string
		rule      rangetest.Rule
		fetch     func(context.Context, *fixture) error
	}{
		"a stream":    {4096, "/d/t.dat", rangetest.Rule{Fault: rangetest.ShortBody, Whole: true, After: 3 << 19}, all},
		"long blocks": {1 << 20, "/d/t.dat", rangetest.Rule{Fault: rangetest.Reset, After: 1 << 19}, all},
		"a header":    {512, controlPath, rangetest.Rule{Fault: rangetest.ShortBody, After: 70_000}, header},
		"records":     {512, controlPath, rangetest.Rule{Fault: rangetest.ShortBody, Whole: true, After: 70_000}, records},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, fixtureOptions{length: 3 << 20, blockSize: tc.blockSize})
			tc.rule.Path = tc.path
			f.srv.Add(tc.rule)
			f.backsOff(tc.path, func(ctx context.Context) error { return tc.fetch(ctx, f) })
		})
	}
}

// backsOff wants the pauses between requests for path to grow while fetch goes on.
func (f *fixture) backsOff(path string, fetch func(context.Context) error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan error)
	go func() { done <- fetch(ctx) }()
	h := f.c.host(f.url)
	level := func() int {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.level
	}
	for level() < 3 && f.srv.Count(path) < 20 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	reached := level()
	cancel()
	if err := <-done; reached < 3 {
		f.t.Errorf("level %d of the backoff after %d requests: %v", reached, f.srv.Count(path), err)
	}
}
