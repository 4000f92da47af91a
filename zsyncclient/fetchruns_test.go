package zsyncclient

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

const testBlock = 512

// everyOther is n runs of one or two blocks with a block between.
func everyOther(n int) []format.BlockRange {
	runs := make([]format.BlockRange, n)
	for i := range runs {
		at := format.BlockID(4*i + 1)
		runs[i] = format.BlockRange{Start: at, End: at + 1 + format.BlockID(i%2)}
	}
	return runs
}

// tray takes runs from several goroutines.
type tray struct {
	mu  sync.Mutex
	got map[format.BlockID]bool
}

// fetchRuns fetches runs and checks every byte that was delivered; the error is
// the caller's to judge.
func (f *fixture) fetchRuns(ctx context.Context, s *Source, runs []format.BlockRange) (*tray, error) {
	f.t.Helper()
	k := &tray{got: map[format.BlockID]bool{}}
	err := s.FetchRuns(ctx, runs, Foreground, f.records, func(first format.BlockID, p []byte) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		start := f.header.Geometry().Offset(first)
		if !bytes.Equal(p, f.target[start:start+int64(len(p))]) {
			f.t.Error("wrong bytes were delivered")
		}
		for at := first; len(p) > 0; at++ {
			if k.got[at] {
				f.t.Errorf("block %d was delivered twice", at)
			}
			k.got[at] = true
			p = p[min(len(p), int(f.header.BlockSize)):]
		}
		return nil
	})
	want := 0
	for _, r := range runs {
		want += int(r.Count())
		for at := r.Start; at < r.End; at++ {
			if err == nil && !k.got[at] {
				f.t.Fatalf("block %d is missing without an error", at)
			}
		}
	}
	if len(k.got) > want {
		f.t.Errorf("%d blocks for %d asked", len(k.got), want)
	}
	return k, err
}

// ranges are how many ranges each request for the target asked for.
func (f *fixture) ranges() (out []int) {
	for _, r := range f.srv.Log() {
		if r.Path == "/d/t.dat" {
			out = append(out, strings.Count(r.Range, "-"))
		}
	}
	return out
}

func runsFixture(t *testing.T) *fixture {
	return newFixture(t, fixtureOptions{blockSize: testBlock, length: 1100*4*testBlock + 7,
		client: func(o *Options) { o.StallTimeout = time.Second }})
}

func TestRunsRequests(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 1, 20: 1, 21: 1, 40: 2, 41: 2, 60: 3, 62: 3, 200: 3, 300: 3, 301: 4, 1000: 10} {
		f := runsFixture(t)
		if _, err := f.fetchRuns(context.Background(), f.source(), everyOther(n)); err != nil {
			t.Fatal(err)
		}
		got := f.ranges()
		if len(got) != want || len(got) > (n+19)/20 {
			t.Errorf("%d runs took requests of %v", n, got)
		}
		if st := f.c.Stats(); st.Errors != 0 {
			t.Errorf("%d failed tries", st.Errors)
		}
	}
}

func TestRunsWhole(t *testing.T) {
	f := runsFixture(t)
	all := f.all()
	halves := []format.BlockRange{{Start: 0, End: 9}, {Start: 9, End: all.End}}
	if _, err := f.fetchRuns(context.Background(), f.source(), halves); err != nil {
		t.Fatal(err)
	}
	if log := f.srv.Log(); len(log) != 1 || log[0].Range != "" || log[0].Status != 200 {
		t.Errorf("requests %v for the whole target", log)
	}
	// What the whole body does not bring comes by ranges.
	f = runsFixture(t)
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.ShortBody, After: 600_000, Times: 1})
	if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), halves); err != nil {
		t.Fatal(err)
	}
	f.srv.Wait()
	if log := f.srv.Log(); len(log) != 2 || log[1].Range == "" || log[1].Bytes > int64(len(f.target))-500_000 {
		t.Errorf("requests %v after a broken body", log)
	}
	// On a server without ranges as well.
	f = runsFixture(t)
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.IgnoreRange})
	if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), halves); err != nil || f.srv.Count("") != 1 {
		t.Errorf("%v after %d requests of %v ranges", err, f.srv.Count(""), f.ranges())
	}
}

func TestRunsArguments(t *testing.T) {
	f := runsFixture(t)
	s := f.source()
	end := f.all().End
	for _, runs := range [][]format.BlockRange{{{Start: 1, End: 1}}, {{Start: 3, End: 2}}, {{Start: -1, End: 2}}, {{Start: 1, End: end + 1}},
		{{Start: 4, End: 6}, {Start: 5, End: 8}}, {{Start: 4, End: 6}, {Start: 1, End: 2}}} {
		if _, err := f.fetchRuns(context.Background(), s, runs); err == nil {
			t.Errorf("%v were accepted", runs)
		}
	}
	if _, err := f.fetchRuns(context.Background(), s, nil); err != nil || f.srv.Count("") != 0 {
		t.Errorf("no runs: %v after %d requests", err, f.srv.Count(""))
	}
	mine := errors.New("mine")
	err := s.FetchRuns(context.Background(), everyOther(30), Foreground, f.records, func(format.BlockID, []byte) error { return mine })
	if err != mine {
		t.Errorf("deliver's error came back as %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = s.FetchRuns(ctx, everyOther(300), Foreground, f.records, func(format.BlockID, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if most, _ := f.c.host(f.url).rangesAtOnce(); most != maxRanges {
		t.Errorf("the host gets %d ranges after the caller's own errors", most)
	}
}

// A multipart body that breaks loses nothing of what came before.
func TestRunsBrokenParts(t *testing.T) {
	for _, fault := range []rangetest.Fault{rangetest.ShortBody, rangetest.CleanShort, rangetest.Reset, rangetest.Stall} {
		f := runsFixture(t)
		f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Several: 2, Fault: fault, After: 10 * testBlock, Times: 1})
		if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(20)); err != nil {
			t.Fatal(err)
		}
		f.srv.Wait()
		got := f.ranges()
		if len(got) != 2 || got[1] > 20-5 {
			t.Errorf("fault %d: requests of %v ranges", fault, got)
		}
		if most, _ := f.c.host(f.url).rangesAtOnce(); most == 1 {
			t.Errorf("fault %d: the host gets single ranges", fault)
		}
	}
}

// A server that takes fewer than the most at once is found out.
func TestRunsLimit(t *testing.T) {
	f := runsFixture(t)
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Several: 51, Fault: rangetest.Status, Status: 400})
	if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(1000)); err != nil {
		t.Fatal(err)
	}
	if got := f.ranges(); len(got) != 51 || got[0] != 100 || got[1] != 20 {
		t.Errorf("%d requests of %v ranges", len(got), got)
	}
	// One that is given up for good is not asked again by another source.
	f = runsFixture(t)
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Several: 2, Fault: rangetest.Status, Status: 416})
	for range 2 {
		if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(300)); err != nil {
			t.Fatal(err)
		}
	}
	several := 0
	for _, n := range f.ranges() {
		if n > 1 {
			several++
		}
	}
	if several != 2 || len(f.ranges()) != 602 {
		t.Errorf("%d of %d requests had several ranges", several, len(f.ranges()))
	}
}

// When single ranges fail as well, their number was not the reason.
func TestRunsFailingServer(t *testing.T) {
	f := runsFixture(t)
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Status, Status: 503, Times: 4})
	if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(200)); err != nil {
		t.Fatal(err)
	}
	if got := f.ranges(); len(got) > 4+10 {
		t.Errorf("requests of %v ranges", got)
	}
	// A server that proved it may be out of order for a while.
	f.srv.ClearRules()
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Status, Status: 503, Times: 3})
	f.srv.ResetLog()
	if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(60)); err != nil {
		t.Fatal(err)
	}
	if got := f.ranges(); len(got) > 6 {
		t.Errorf("requests of %v ranges", got)
	}
}

// Neither was it while nothing listened.
func TestRunsServerGone(t *testing.T) {
	f := runsFixture(t)
	f.srv.Stop()
	done := make(chan error)
	go func() {
		_, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(60))
		done <- err
	}()
	for f.c.Stats().Errors < 3 {
		time.Sleep(time.Millisecond)
	}
	if err := f.srv.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := f.ranges(); len(got) > 3 {
		t.Errorf("requests of %v ranges", got)
	}
}

func TestRunsNoRanges(t *testing.T) {
	f := runsFixture(t)
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.IgnoreRange})
	_, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(300))
	if !errors.Is(err, ErrNoRanges) || f.srv.Count("") > 3 {
		t.Errorf("%v after %d requests of %v ranges", err, f.srv.Count(""), f.ranges())
	}
	wantText(t, err, f.srv.URL("/d/t.dat"))
	if err := f.fetchAll(context.Background(), f.source()); err != nil {
		t.Fatal(err)
	}
}

func TestRunsFailover(t *testing.T) {
	bad := map[string]rangetest.Rule{
		"404":         {Fault: rangetest.Status, Status: 404},
		"wrong bytes": {Fault: rangetest.Flip, After: 50*4*testBlock + testBlock},
		"500":         {Fault: rangetest.Status, Status: 500},
		"200":         {Fault: rangetest.IgnoreRange},
		"other total": header(3, replace("/", "/1")),
		"stall":       {Fault: rangetest.Stall, After: 20 * testBlock},
	}
	for name, rule := range bad {
		t.Run(name, func(t *testing.T) {
			other := startServer(t)
			f := newFixture(t, fixtureOptions{blockSize: testBlock, length: 1100 * 4 * testBlock, urls: []string{other.URL("/x/t.dat")},
				client: func(o *Options) { o.AllowPrivate, o.StallTimeout = true, 300*time.Millisecond }})
			other.Put("/x/t.dat", f.target)
			other.Add(rule)
			if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(300)); err != nil {
				t.Fatal(err)
			}
			if other.Count("") == 0 || f.srv.Count("/d/t.dat") == 0 || f.srv.Count("/d/t.dat") > 15 {
				t.Errorf("%d requests to the bad candidate, %d to the good one", other.Count(""), f.srv.Count("/d/t.dat"))
			}
			f.srv.Remove("/d/t.dat")
			if name != "404" {
				return
			}
			_, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(300))
			wantSourceError(t, err, f.srv.URL("/d/t.dat"))
			wantText(t, err, other.URL("/x/t.dat"))
		})
	}
}

// A redirect's end is what proves and refuses.
func TestRunsRedirect(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		mirror := startServer(t)
		f := newFixture(t, fixtureOptions{blockSize: testBlock, length: 1100 * 4 * testBlock,
			client: func(o *Options) { o.AllowPrivate = true }})
		mirror.Put("/m", f.target)
		f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Redirect, Text: mirror.URL("/m")})
		want := 3
		if refuses {
			want = 62
			mirror.Add(rangetest.Rule{Several: 2, Fault: rangetest.Status, Status: http.StatusForbidden})
		}
		if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(60)); err != nil {
			t.Fatal(err)
		}
		if n := mirror.Count(""); n > want || f.srv.Count("/d/t.dat") > 3 {
			t.Errorf("%d requests to the mirror, %d to the redirector", n, f.srv.Count("/d/t.dat"))
		}
	}
}

// The requests of one call are bounded while single ranges are asked for.
func TestRunsSideBySide(t *testing.T) {
	f := runsFixture(t)
	f.c.host(f.url).limitRanges(1)
	f.srv.SetDelay(5 * time.Millisecond)
	stop := make(chan struct{})
	most := make(chan int)
	go func() {
		h, top := f.c.host(f.url), 0
		for {
			h.mu.Lock()
			top = max(top, h.datas)
			h.mu.Unlock()
			select {
			case <-stop:
				most <- top
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	if _, err := f.fetchRuns(shortly(t, 20*time.Second), f.source(), everyOther(60)); err != nil {
		t.Fatal(err)
	}
	close(stop)
	if n := <-most; n > singleBeside || n < 2 {
		t.Errorf("%d requests side by side", n)
	}
}
