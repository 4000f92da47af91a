package zsyncclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

func TestFetchRanges(t *testing.T) {
	for _, blockSize := range []int64{512, 2048, 4096, 1 << 19} {
		f := newFixture(t, fixtureOptions{blockSize: blockSize, length: 3<<20 + 100})
		s := f.source()
		all := f.all()
		mid := all.End / 2
		for _, r := range []format.BlockRange{all, {Start: all.End - 1, End: all.End}, {Start: mid, End: mid + 1}, {Start: 1, End: mid}, {Start: mid, End: mid}} {
			f.srv.ResetLog()
			if err := f.fetch(context.Background(), s, r); err != nil {
				t.Fatal(r, err)
			}
			f.srv.Wait()
			if got, want := f.srv.Bytes(""), f.header.Geometry().Bytes(r).Length(); got != want {
				t.Errorf("%v of block size %d: %d bytes from the server, want %d", r, blockSize, got, want)
			}
		}
		if err := f.fetch(context.Background(), s, format.BlockRange{Start: 0, End: all.End + 1}); err == nil {
			t.Error("blocks past the end were accepted")
		}
		if rate, _ := s.Rate(); rate <= 0 {
			t.Error("no rate after whole fetches")
		}
	}
}

func TestFetchHeaders(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	s := f.source()
	for range 2 {
		if err := f.fetch(context.Background(), s, format.BlockRange{Start: 3, End: 5}); err != nil {
			t.Fatal(err)
		}
	}
	log := f.srv.Log()
	if len(log) != 2 {
		t.Fatalf("%d requests, want 2", len(log))
	}
	if got := log[0].Range; got != "bytes=6144-10239" {
		t.Errorf("Range %q", got)
	}
	for _, r := range log {
		if r.Header.Get("Accept-Encoding") != "identity" || !strings.HasPrefix(r.Header.Get("User-Agent"), "zsyncfs/") {
			t.Errorf("header %v", r.Header)
		}
	}
	if log[0].Header.Get("If-Range") != "" || log[1].Header.Get("If-Range") == "" {
		t.Error("If-Range belongs to every request after the ETag is known")
	}
	f.srv.SetValidators("/d/t.dat", `W/"weak"`, time.Time{})
	if err := f.fetch(context.Background(), s, format.BlockRange{Start: 0, End: 2}); err != nil {
		t.Fatal(err)
	}
	f.srv.ResetLog()
	if err := f.fetch(context.Background(), s, format.BlockRange{Start: 0, End: 2}); err != nil {
		t.Fatal(err)
	}
	if got := f.srv.Log()[0].Header.Get("If-Range"); got != "" {
		t.Errorf("If-Range %q from a weak ETag", got)
	}
}

// A fault that passes is not seen by the caller.
func TestPassingFaults(t *testing.T) {
	type test struct {
		name string
		rule rangetest.Rule
	}
	tests := []test{
		{"short body", rangetest.Rule{Fault: rangetest.ShortBody, After: 100_000, Times: 2}},
		{"no byte", rangetest.Rule{Fault: rangetest.ShortBody, After: 0, Times: 2}},
		{"clean short", rangetest.Rule{Fault: rangetest.CleanShort, After: 5000, Times: 1}},
		{"reset", rangetest.Rule{Fault: rangetest.Reset, After: 300_000, Times: 2}},
		{"stall", rangetest.Rule{Fault: rangetest.Stall, After: 50_000, Times: 1}},
		{"stalled header", rangetest.Rule{Fault: rangetest.StallHeader, Times: 1}},
		{"500", rangetest.Rule{Fault: rangetest.Status, Status: 500, Times: 1}},
		{"502", rangetest.Rule{Fault: rangetest.Status, Status: 502, Times: 1}},
		{"503", rangetest.Rule{Fault: rangetest.Status, Status: 503, Times: 1}},
		{"429", rangetest.Rule{Fault: rangetest.Status, Status: 429, Times: 1}},
		{"wrong byte once", rangetest.Rule{Fault: rangetest.Flip, After: 70_000, Times: 1}},
		{"long body", rangetest.Rule{Fault: rangetest.LongBody, Text: "more"}},
		{"endless", rangetest.Rule{Fault: rangetest.Endless}},
		{"identity", rangetest.Rule{Header: http.Header{"Content-Encoding": {"identity"}}}},
		{"changing ETag", rangetest.Rule{Fault: rangetest.ETag, Text: `"other"`, Skip: 1, Times: 1}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{client: func(o *Options) { o.StallTimeout = 300 * time.Millisecond }})
			tc.rule.Path = "/d/t.dat"
			f.srv.Add(tc.rule)
			s := f.source()
			for _, r := range []format.BlockRange{f.all(), {Start: 5, End: 200}, {Start: 1, End: 2}} {
				if err := f.fetch(shortly(t, 20*time.Second), s, r); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What a server that breaks the rules for good leads to: an error at once, which
// says what was wrong.
func TestLastingFaults(t *testing.T) {
	length := 1<<20 + 777
	span := func(f string, a ...any) string { return fmt.Sprintf(f, a...) }
	tests := []struct {
		name string
		rule rangetest.Rule
		text string
	}{
		{"start", rangetest.Rule{Fault: rangetest.ContentRange, Text: span("bytes 4097-8192/%d", length)}, "server sent [4097,8193) of 1049353 for the range [4096,8192)"},
		{"end", rangetest.Rule{Fault: rangetest.ContentRange, Text: span("bytes 4096-8190/%d", length)}, "for the range [4096,8192)"},
		{"total", rangetest.Rule{Fault: rangetest.ContentRange, Text: span("bytes 4096-8191/%d", length+1)}, "wrong length: 1049354 bytes, the control file's Length is 1049353"},
		{"no total", rangetest.Rule{Fault: rangetest.ContentRange, Text: "bytes 4096-8191/*"}, "without a total"},
		{"nonsense", rangetest.Rule{Fault: rangetest.ContentRange, Text: "octets 1"}, `Content-Range "octets 1"`},
		{"multipart", rangetest.Rule{Fault: rangetest.Multipart}, "multipart/byteranges for a single range"},
		{"gzip", rangetest.Rule{Fault: rangetest.Gzip}, `Content-Encoding "gzip"`},
		{"404", rangetest.Rule{Fault: rangetest.Status, Status: 404}, "404 Not Found"},
		{"410", rangetest.Rule{Fault: rangetest.Status, Status: 410}, "410 Gone"},
		{"403", rangetest.Rule{Fault: rangetest.Status, Status: 403}, "403 Forbidden"},
		{"416", rangetest.Rule{Fault: rangetest.Status, Status: 416}, "416"},
		{"login page", rangetest.Rule{Fault: rangetest.LoginPage}, "wrong length: 53 bytes"},
		{"wrong bytes", rangetest.Rule{Fault: rangetest.Flip, After: 5000}, "block 2: the data does not match"},
		{"redirect loop", rangetest.Rule{Fault: rangetest.Redirect, Text: "/d/t.dat"}, "more than 5 redirects"},
		{"redirect to file", rangetest.Rule{Fault: rangetest.Redirect, Text: "file:///etc/passwd"}, `scheme "file" is not http or https`},
		{"redirect nowhere", rangetest.Rule{Fault: rangetest.Redirect, Text: ""}, "empty URL"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{length: length})
			tc.rule.Path = "/d/t.dat"
			f.srv.Add(tc.rule)
			s := f.source()
			r := format.BlockRange{Start: 2, End: 4}
			err := f.fetch(shortly(t, 30*time.Second), s, r)
			wantSourceError(t, err, tc.text)
			requests := f.srv.Count("")
			if want := 8; requests > want {
				t.Errorf("%d requests", requests)
			}
			s.candidates[0].banned = time.Now().Add(time.Minute) // however long this test takes
			wantSourceError(t, f.fetch(context.Background(), s, r), tc.text)
			if f.srv.Count("") != requests {
				t.Error("a banned source was asked again")
			}
			want := firstBan
			if IsMismatch(err) {
				want = firstDoubt
			}
			if got := s.candidates[0].ban; got != want || len(f.warned) != 0 {
				t.Errorf("left alone for %v, want %v, and warned of %v", got, want, f.warned)
			}
			// The server is repaired and the ban runs out.
			f.srv.ClearRules()
			for _, c := range s.candidates {
				c.banned = time.Time{}
			}
			if err := f.fetch(context.Background(), s, r); err != nil {
				t.Fatal(err)
			}
			if s.candidates[0].ban != 0 {
				t.Error("success does not end the row of bans")
			}
		})
	}
}

// TestDoubtGrows: a source that goes on having something else is asked less and
// less often, and tries that failed together count once.
func TestDoubtGrows(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	s := f.source()
	cand := s.candidates[0]
	var last time.Duration
	for want := firstDoubt; last < maxBan; want *= 2 {
		for range 3 {
			s.judge(cand, &LengthError{Want: 1, Got: 2})
		}
		if want = min(want, maxBan); cand.ban != want {
			t.Fatalf("left alone for %v after %v", cand.ban, last)
		}
		last = cand.ban
		cand.banned = time.Now()
	}
	s.judge(cand, nil)
	s.judge(cand, &StatusError{Code: 404})
	if cand.ban != firstDoubt {
		t.Errorf("left alone for %v for a fault of what was right before", cand.ban)
	}
	for range 10 { // one rotten block must not keep the others away for long
		cand.banned = time.Now()
		s.judge(cand, &StatusError{Code: 404})
	}
	if cand.ban != maxDoubt {
		t.Errorf("left alone for %v for many faults of what was right before", cand.ban)
	}
	other := f.source().candidates[0]
	s.judge(other, &StatusError{Code: 404})
	if other.ban != firstBan {
		t.Errorf("left alone for %v for a fault of what never was right", other.ban)
	}
}

// TestOddReplyIsOnlyDoubtful: what was right before and sends something odd once is
// asked again at once, and what never was right soon.
func TestOddReplyIsOnlyDoubtful(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	s := f.source()
	cand := s.candidates[0]
	if err := s.judge(cand, refuse("odd")); IsDoubtful(err) || cand.ban != firstBan {
		t.Errorf("never right: %v, left alone for %v", err, cand.ban)
	}
	cand.banned, cand.ban, cand.lastFault = time.Time{}, 0, nil
	s.judge(cand, nil)
	if err := s.judge(cand, refuse("odd")); !IsDoubtful(err) || cand.ban != firstDoubt || errors.Is(err, ErrTargetChanged) {
		t.Errorf("right before: %v, left alone for %v", err, cand.ban)
	}
	cand.banned = time.Now()
	if err := s.judge(cand, ErrForbiddenAddress); IsDoubtful(err) {
		t.Errorf("%v is only doubtful", err)
	}
}

// TestOneWholeFile: a server that answers a range with the whole file once is asked for
// ranges again.
func TestOneWholeFile(t *testing.T) {
	for _, start := range []format.BlockID{0, 3} {
		f := newFixture(t, fixtureOptions{})
		f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.IgnoreRange, Times: 1})
		s := f.source()
		for range 2 {
			if err := f.fetch(context.Background(), s, format.BlockRange{Start: start, End: start + 2}); err != nil {
				t.Errorf("from block %d: %v", start, err)
			}
			start += 10
		}
	}
}

// TestOneWrongRedirect: a redirect that leads to something else once, as to a login
// page, is not gone on with.
func TestOneWrongRedirect(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	f.srv.Put("/page", []byte("<html>who are you?</html>"))
	f.srv.Put("/other", bytes.Repeat([]byte{7}, len(f.target)))
	for _, to := range []string{"/page", "/other"} {
		f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Redirect, Text: to, Times: 1})
		s := f.source()
		_ = f.fetch(context.Background(), s, format.BlockRange{Start: 2, End: 4})
		s.candidates[0].banned = time.Time{}
		if err := f.fetch(context.Background(), s, format.BlockRange{Start: 2, End: 4}); err != nil {
			t.Errorf("after a redirect to %s: %v", to, err)
		}
	}
	control := f.srv.URL("/d/t.dat.zsync")
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat.zsync", Fault: rangetest.Redirect, Text: "/page", Times: 1})
	if _, err := f.c.FetchControl(context.Background(), mustURL(control), Validators{}, 0); err == nil {
		t.Error("a page is a control file")
	}
	if _, err := f.c.FetchControl(context.Background(), mustURL(control), Validators{}, 0); err != nil {
		t.Error(err)
	}
}

func TestWrongBytesRefetchedOnce(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Flip, After: 5000})
	err := f.fetch(context.Background(), f.source(), format.BlockRange{Start: 0, End: 10})
	wantSourceError(t, err, "block 2")
	if !errors.Is(err, ErrWrongBlocks) {
		t.Errorf("%v is not ErrWrongBlocks", err)
	}
	log := f.srv.Log()
	if len(log) != 2 || log[1].Range != "bytes=4096-20479" {
		t.Errorf("requests %v", log)
	}
}

func TestFailover(t *testing.T) {
	bad := map[string]rangetest.Rule{
		"404":         {Fault: rangetest.Status, Status: 404},
		"wrong bytes": {Fault: rangetest.Flip, After: 600_000},
		"500":         {Fault: rangetest.Status, Status: 500},
		"200":         {Fault: rangetest.IgnoreRange},
		"total":       {Fault: rangetest.ContentRange, Text: "bytes 0-1/2"},
	}
	for name, rule := range bad {
		t.Run(name, func(t *testing.T) {
			other := startServer(t)
			f := newFixture(t, fixtureOptions{urls: []string{other.URL("/x/t.dat")}, client: func(o *Options) { o.AllowPrivate = true }})
			other.Put("/x/t.dat", f.target)
			other.Add(rule)
			s := f.source()
			// From block 1: a whole body would serve a range from the start.
			if err := f.fetch(shortly(t, 20*time.Second), s, format.BlockRange{Start: 1, End: f.all().End}); err != nil {
				t.Fatal(err)
			}
			if other.Count("") == 0 || f.srv.Count("/d/t.dat") == 0 {
				t.Error("both candidates should have been asked")
			}
			if banned := s.candidates[0].ban != 0; banned != (len(f.warned) == 1) {
				t.Errorf("left alone %v, and warned of %v", banned, f.warned)
			}
			before := other.Count("")
			// From block 1: a whole body would serve a range from the start.
			if err := f.fetch(shortly(t, 20*time.Second), s, format.BlockRange{Start: 1, End: f.all().End}); err != nil {
				t.Fatal(err)
			}
			if other.Count("") != before {
				t.Error("the bad candidate was asked again while a good one was there")
			}
		})
	}
}

func TestServerRestart(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	s := f.source()
	if err := f.fetch(context.Background(), s, format.BlockRange{Start: 0, End: 1}); err != nil {
		t.Fatal(err)
	}
	f.srv.Stop()
	done := make(chan error)
	go func() { done <- f.fetch(shortly(t, 30*time.Second), s, f.all()) }()
	for f.c.Stats().Errors == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := f.srv.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	st := f.c.Stats()
	if len(st.Hosts) != 1 || !st.Hosts[0].FailingSince.IsZero() {
		t.Errorf("stats %+v", st)
	}
}

func TestServerGone(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	s := f.source()
	f.srv.Stop()
	err := f.fetch(shortly(t, 400*time.Millisecond), s, f.all())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v does not wrap the context's error", err)
	}
	wantText(t, err, "connection refused")
	wantText(t, err, "fetch range [0,1049353) from "+f.srv.URL("/d/t.dat"))
	if f.c.Stats().Hosts[0].FailingSince.IsZero() {
		t.Error("stats say nothing of the failing host")
	}
}

func TestCallersErrors(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	s := f.source()
	mine := errors.New("mine")
	err := s.Fetch(context.Background(), f.all(), Foreground, f.records, func(format.BlockID, []byte) error { return mine })
	if err != mine {
		t.Errorf("deliver's error came back as %v", err)
	}
	err = s.Fetch(context.Background(), f.all(), Foreground,
		func(context.Context, format.BlockRange) ([]byte, error) { return nil, mine },
		func(format.BlockID, []byte) error { return nil })
	if err != mine {
		t.Errorf("records' error came back as %v", err)
	}
	if f.c.Stats().Errors != 0 || len(f.warned) != 0 {
		t.Error("the host was blamed for the caller's error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = s.Fetch(ctx, f.all(), Foreground, f.records, func(format.BlockID, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTargetChanged(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	s := f.source()
	if err := f.fetch(context.Background(), s, format.BlockRange{Start: 0, End: 9}); err != nil {
		t.Fatal(err)
	}
	f.srv.Put("/d/t.dat", randomBytes(5000))
	err := f.fetch(context.Background(), s, f.all())
	wantSourceError(t, err, "wrong length")
	if !errors.Is(err, ErrTargetChanged) {
		t.Errorf("%v is not ErrTargetChanged", err)
	}
	g := newFixture(t, fixtureOptions{})
	g.srv.Put("/d/t.dat", randomBytes(5000))
	if err := g.fetch(context.Background(), g.source(), g.all()); errors.Is(err, ErrTargetChanged) {
		t.Errorf("%v, though the candidate never was right", err)
	}
}

func TestNoRanges(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.IgnoreRange})
	s := f.source()
	err := f.fetch(context.Background(), s, format.BlockRange{Start: 100, End: 200})
	if !errors.Is(err, ErrNoRanges) {
		t.Fatalf("%v is not ErrNoRanges", err)
	}
	requests := f.srv.Count("")
	if err := f.fetch(context.Background(), s, format.BlockRange{Start: 0, End: 9}); !errors.Is(err, ErrNoRanges) || f.srv.Count("") != requests {
		t.Fatalf("%v after %d more requests", err, f.srv.Count("")-requests)
	}
	if err := f.fetchAll(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	// A range from the start is served from the body at once.
	s = f.source()
	if err := f.fetch(context.Background(), s, format.BlockRange{Start: 0, End: 9}); err != nil {
		t.Fatal(err)
	}
}

func TestClose(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Stall, After: 10_000})
	s := f.source()
	done := make(chan error)
	go func() { done <- f.fetch(context.Background(), s, f.all()) }()
	for f.srv.Bytes("") == 0 {
		time.Sleep(time.Millisecond)
	}
	f.c.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
	if _, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 0); !errors.Is(err, ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
}
