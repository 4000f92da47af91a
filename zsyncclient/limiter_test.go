package zsyncclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// takers takes from l until ctx ends, each of pris in a goroutine, and returns how
// many bytes each had.
func takers(ctx context.Context, l *limiter, pris ...Priority) []int {
	got := make([]int, len(pris))
	var wg sync.WaitGroup
	for i, pri := range pris {
		wg.Go(func() {
			for {
				n, err := l.take(ctx, pri, 1<<20)
				if err != nil {
					return
				}
				got[i] += n
			}
		})
	}
	wg.Wait()
	return got
}

// All that is asked for together comes at the rate, whatever that is, a piece to
// each in turn.
func TestLimiterRate(t *testing.T) {
	for _, rate := range []int64{1, 7, 1000, 10 << 10, 1 << 20, 1 << 30, 1 << 62} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(rate)
			const time10 = 10 * time.Second
			ctx, cancel := context.WithTimeout(t.Context(), time10)
			defer cancel()
			if rate > 1<<40 { // as good as none: the clock of the test would stand still
				for range 1000 {
					if _, err := l.take(ctx, Foreground, 1<<20); err != nil {
						t.Fatal(err)
					}
				}
				return
			}
			got := takers(ctx, l, Foreground, Foreground, Foreground)
			sum := got[0] + got[1] + got[2]
			// What the limiter promises, and no less than a piece short of it.
			most := l.rate*time10.Seconds() + l.burst
			if float64(sum) > most || float64(sum) < most-1-float64(l.piece) {
				t.Errorf("rate %d: %d bytes in %v, want %.0f", rate, sum, time10, most)
			}
			// What was saved up may be the first one's.
			if d := max(got[0], got[1], got[2]) - min(got[0], got[1], got[2]); d > int(l.burst)+l.piece {
				t.Errorf("rate %d: shares %v, pieces of %d", rate, got, l.piece)
			}
			if len(l.turns[Foreground]) > 0 {
				t.Errorf("rate %d: %d turns are left of callers that went away", rate, len(l.turns[Foreground]))
			}
		})
	}
	if l := newLimiter(0); l != nil || l.within(time.Second, 5) != 5 || l.takes(5) != 0 {
		t.Error("no limit limits")
	}
}

// A limit is flat: no second of it has more than the others, but for the first,
// and no time passes without bytes.
func TestLimiterIsEven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(10 << 10)
		start, last := time.Now(), time.Now()
		var seconds [10]int
		for {
			n, err := l.take(t.Context(), Foreground, 256<<10)
			now := time.Now()
			at := now.Sub(start) / time.Second
			if err != nil || int(at) == len(seconds) {
				break
			}
			seconds[at] += n
			if d := now.Sub(last); d > 40*time.Millisecond {
				t.Errorf("nothing for %v", d)
			}
			last = now
		}
		for i, n := range seconds {
			most := 10<<10 + l.piece
			if i == 0 {
				most += int(l.burst)
			}
			if n > most {
				t.Errorf("%d bytes in second %d", n, i)
			}
		}
	})
}

// Background has what foreground leaves: nothing while that waits for more.
func TestLimiterPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(100_000)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got := takers(ctx, l, Background, Foreground, Background)
		if bg := got[0] + got[2]; float64(bg) > l.burst {
			t.Errorf("background had %d bytes, foreground %d", bg, got[1])
		}
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		slow := 0
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil { // a server that is slower than the limit
				n, _ := l.take(ctx, Foreground, 1000)
				slow += n
				time.Sleep(20 * time.Millisecond)
			}
		})
		bg := takers(ctx, l, Background)[0]
		wg.Wait()
		if sum := slow + bg; sum < 990_000 || slow < 350_000 {
			t.Errorf("of 1000000 bytes, foreground had %d and background %d", slow, bg)
		}
	})
}

// Who goes away takes nothing along, and what was read without asking is paid.
func TestLimiterGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(3200)
		l.giveBack(-400 - 3200) // of 400 that were saved up
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := l.take(ctx, Foreground, 50); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 500*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		n, err := l.take(t.Context(), Background, 50)
		if took := time.Since(start).Round(time.Millisecond); err != nil || n != 50 || took != 1016*time.Millisecond {
			t.Errorf("%d bytes after %v, %v", n, took, err)
		}
		l.giveBack(n)
		if n, err := l.take(t.Context(), Background, 50); err != nil || n != 50 || time.Since(start).Round(time.Millisecond) != 1016*time.Millisecond {
			t.Errorf("what was given back: %d bytes after %v, %v", n, time.Since(start), err)
		}
		done, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(time.Second)
		for range 100 { // granted or not, nothing is lost
			if n, err := l.take(done, Foreground, 50); err == nil {
				l.giveBack(n)
			}
		}
		if l.share(); l.have != l.burst {
			t.Errorf("%v of %v are left", l.have, l.burst)
		}
	})
}

// Background bodies, which may wait long, leave connections for others.
func TestLimitedHostKeepsConnections(t *testing.T) {
	for limited, want := range map[bool]int{false: 5, true: 3} {
		h := newHost("h:80", 8)
		h.limited.Store(limited)
		n := 0
		for ; h.admit(data, Background) != nil; n++ {
		}
		if n != want {
			t.Errorf("limited %v: %d in the background, want %d", limited, n, want)
		}
	}
}

// All bodies of a client together keep to the limit: of data, control files and
// listings, of several servers.
func TestLimitRate(t *testing.T) {
	const rate = 400_000
	f := newFixture(t, fixtureOptions{length: 150_000, client: func(o *Options) { o.LimitRate = rate; o.AllowPrivate = true }})
	other := startServer(t)
	other.Put("/d/t.dat", f.target)
	page := "<html><body><pre>" + fmt.Sprintf("%50000d", 0) + "<a href=\"t.dat.zsync\">t.dat.zsync</a></pre></body></html>"
	f.srv.Put("/d/", []byte(page))
	start := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f.fetch(t.Context(), f.source(), f.all()); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		ctl := &Control{URL: mustURL(other.URL("/d/t.dat.zsync")), Header: f.header, Validators: Validators{Length: -1}}
		if err := f.fetch(t.Context(), f.c.NewSource(ctl, nil), f.all()); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if _, err := f.c.FetchWholeControl(t.Context(), f.url, Validators{}); err != nil {
			t.Error(err)
		}
		_, _, _ = f.c.List(t.Context(), mustURL(f.srv.URL("/d/")), Validators{})
	})
	wg.Wait()
	took := time.Since(start)
	n := f.c.Stats().BytesReceived
	if want := int64(2*len(f.target) + len(f.control) + len(page)); n < want {
		t.Fatalf("%d bytes, want %d", n, want)
	}
	if least := float64(n-drainLeast)/rate - savedUp.Seconds(); took.Seconds() < least {
		t.Errorf("%d bytes in %v, want %.2f s or more", n, took, least)
	}
	t.Logf("%d bytes in %v", n, took)
}

// A foreground body's bytes come before those of a background body, which came
// first, also from another server.
func TestLimitRatePriority(t *testing.T) {
	f := newFixture(t, fixtureOptions{client: func(o *Options) { o.LimitRate = 64 << 10; o.AllowPrivate = true }})
	other := startServer(t)
	other.Put("/d/t.dat", f.target)
	ctl := &Control{URL: mustURL(other.URL("/d/t.dat.zsync")), Header: f.header, Validators: Validators{Length: -1}}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	behind := f.c.NewSource(ctl, nil)
	wg.Go(func() {
		_ = behind.Fetch(ctx, f.all(), Background, f.records, func(format.BlockID, []byte) error { return nil })
	})
	slow := f.c.host(ctl.URL)
	for slow.received.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	before := slow.received.Load()
	if err := f.fetch(shortly(t, 20*time.Second), f.source(), format.BlockRange{End: 40}); err != nil {
		t.Fatal(err)
	}
	got := slow.received.Load() - before
	t.Logf("%d bytes in the background beside %d", got, 40*2048)
	if got > 40*2048/2 {
		t.Errorf("%d bytes in the background, while the foreground waited for %d", got, 40*2048)
	}
	// With the foreground gone, it goes on.
	for before = slow.received.Load(); slow.received.Load() < before+8000; {
		time.Sleep(time.Millisecond)
	}
	if rate, _ := behind.Rate(); rate != 64<<10 {
		t.Errorf("rate %v of a source that had a background fetch only", rate)
	}
}

// Who waits for the limit leaves at once, with its context or with the client.
func TestLimitRateEnds(t *testing.T) {
	f := newFixture(t, fixtureOptions{client: func(o *Options) { o.LimitRate = 1000 }})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	start := time.Now()
	if err := f.fetch(ctx, f.source(), f.all()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	time.AfterFunc(300*time.Millisecond, f.c.Close)
	if err := f.fetch(t.Context(), f.source(), f.all()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// Waiting for the limit is no stall, however little it lets through.
func TestLimitRateIsNoStall(t *testing.T) {
	const stall = 400 * time.Millisecond
	f := newFixture(t, fixtureOptions{length: 3000, blockSize: 512, client: func(o *Options) { o.LimitRate = 1500; o.StallTimeout = stall }})
	start := time.Now()
	if err := f.fetch(t.Context(), f.source(), f.all()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 2*time.Second-savedUp {
		t.Errorf("took %v", took)
	}
	if s := f.c.Stats(); s.Errors != 0 || s.Requests != 1 {
		t.Errorf("%d errors, %d requests", s.Errors, s.Requests)
	}
	// Nor is it the server's fault when it does not wait so long.
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Times: 1, Fault: rangetest.ShortBody, After: 1500})
	if err := f.fetch(t.Context(), f.source(), f.all()); err != nil {
		t.Fatal(err)
	}
	if s := f.c.Stats(); s.Errors != 0 || s.Requests != 3 {
		t.Errorf("after a body that broke: %d errors, %d requests", s.Errors, s.Requests)
	}
}

// What was saved up is not taken for the rate.
func TestLimitRateAndSourceRate(t *testing.T) {
	const rate = 4 << 20
	f := newFixture(t, fixtureOptions{client: func(o *Options) { o.LimitRate = rate }})
	s := f.source()
	if got, _ := s.Rate(); got != rate {
		t.Errorf("rate %.0f before the first request", got)
	}
	for range 3 {
		time.Sleep(savedUp)
		if err := f.fetch(t.Context(), s, format.BlockRange{End: 64}); err != nil {
			t.Fatal(err)
		}
	}
	if got, rtt := s.Rate(); got > rate || got < rate/100 || rtt == 0 {
		t.Errorf("rate %.0f, round trip %v", got, rtt)
	}
}

// Bodies of HTTP/2 wait at the server too, not in memory here.
func TestLimitRateHTTP2(t *testing.T) {
	var sent atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", r.ProtoMajor)
		}
		w.Header().Set("Content-Length", "8000000")
		for p := make([]byte, 10_000); ; {
			n, err := w.Write(p)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	u := mustURL(srv.URL)
	c := newClient(t, Options{AllowPrivate: true, Insecure: true, LimitRate: 20_000})
	a, err := c.get(shortly(t, time.Second), ask{url: u})
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, a.body)
	_ = a.body.broke(err)
	if err == nil || n < 5000 || n > 22_500 || sent.Load() > 500_000 {
		t.Errorf("read %d bytes of %d that were sent, %v", n, sent.Load(), err)
	}
}

// Another limit holds for bodies that wait for the one before, too.
func TestSetLimitRateWhileBodiesWait(t *testing.T) {
	f := newFixture(t, fixtureOptions{client: func(o *Options) { o.LimitRate = 1000 }})
	time.AfterFunc(300*time.Millisecond, func() { f.c.SetLimitRate(0) })
	start := time.Now()
	if err := f.fetch(shortly(t, 20*time.Second), f.source(), f.all()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 300*time.Millisecond {
		t.Errorf("took %v", took)
	}
	const rate = 200_000
	time.AfterFunc(10*time.Millisecond, func() { f.c.SetLimitRate(rate) })
	f.c.SetLimitRate(500)
	start, received := time.Now(), f.c.Stats().BytesReceived
	if err := f.fetch(shortly(t, 20*time.Second), f.source(), f.all()); err != nil {
		t.Fatal(err)
	}
	n := f.c.Stats().BytesReceived - received
	if took, least := time.Since(start), float64(n-drainLeast)/rate-savedUp.Seconds(); took.Seconds() < least {
		t.Errorf("%d bytes in %v, want %.2f s or more", n, took, least)
	}
}
