package zsyncclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

const controlPath = "/d/t.dat.zsync"

func bigControl(t *testing.T) *fixture {
	return newFixture(t, fixtureOptions{length: 16 << 20, blockSize: 512, client: func(o *Options) { o.StallTimeout = 500 * time.Millisecond }})
}

func (f *fixture) checkWhole(ctl *Control, err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	if !bytes.Equal(append(bytes.Clone(ctl.Raw), ctl.Records...), f.control) {
		f.t.Errorf("%d bytes of header and %d of records, %d in all wanted", len(ctl.Raw), len(ctl.Records), len(f.control))
	}
	if cap(ctl.Records) != len(ctl.Records) {
		f.t.Error("memory for more than the records")
	}
}

func TestFetchWholeControl(t *testing.T) {
	for name, tc := range map[string]struct {
		rule rangetest.Rule
		most int // requests
	}{
		"plain":         {rangetest.Rule{}, 1},
		"chunked":       {rangetest.Rule{Fault: rangetest.NoLength}, 1},
		"bytes after":   {rangetest.Rule{Fault: rangetest.LongBody, Text: "more"}, 1},
		"endless":       {rangetest.Rule{Fault: rangetest.Endless}, 1},
		"503":           {rangetest.Rule{Fault: rangetest.Status, Status: 503, Times: 1}, 2},
		"short header":  {rangetest.Rule{Fault: rangetest.ShortBody, After: 50, Times: 1}, 2},
		"short":         {rangetest.Rule{Fault: rangetest.ShortBody, After: 300_000, Times: 1}, 2},
		"short twice":   {rangetest.Rule{Fault: rangetest.ShortBody, After: 200_000, Times: 2}, 3},
		"reset":         {rangetest.Rule{Fault: rangetest.Reset, After: 300_000, Times: 1}, 2},
		"stall":         {rangetest.Rule{Fault: rangetest.Stall, After: 300_000, Times: 1}, 2},
		"ranges gone":   {rangetest.Rule{Fault: rangetest.IgnoreRange}, 1},
		"short, no 206": {rangetest.Rule{Fault: rangetest.ShortBody, After: 300_000, Times: 1}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := bigControl(t)
			tc.rule.Path = controlPath
			f.srv.Add(tc.rule)
			if name == "short, no 206" {
				f.srv.Add(rangetest.Rule{Path: controlPath, Fault: rangetest.IgnoreRange})
			}
			ctl, err := f.c.FetchWholeControl(shortly(t, 20*time.Second), f.url, Validators{})
			f.checkWhole(ctl, err)
			log := f.srv.Log()
			if len(log) > tc.most || log[0].Range != "" {
				t.Errorf("requests %v", log)
			}
			f.srv.ClearRules()
			if tc.most > 1 {
				return
			}
			_, err = f.c.FetchWholeControl(shortly(t, 20*time.Second), f.url, ctl.Validators)
			if !errors.Is(err, ErrNotModified) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func TestFetchWholeControlFaults(t *testing.T) {
	f := bigControl(t)
	try := func(rule rangetest.Rule, data []byte) error {
		f.srv.ClearRules()
		f.srv.Put(controlPath, data)
		rule.Path = controlPath
		f.srv.Add(rule)
		ctl, err := f.c.FetchWholeControl(shortly(t, 5*time.Second), f.url, Validators{})
		if err == nil && ctl == nil {
			t.Error("neither a control file nor an error")
		}
		return err
	}
	var parse *format.ParseError
	var short *format.ShortError
	var status *StatusError
	if err := try(rangetest.Rule{}, f.control[:len(f.control)-1]); !errors.As(err, &parse) {
		t.Errorf("a byte missing: %v", err)
	}
	if err := try(rangetest.Rule{Fault: rangetest.NoLength}, f.control[:len(f.control)-1]); !errors.As(err, &parse) {
		t.Errorf("a byte missing, chunked: %v", err)
	}
	if err := try(rangetest.Rule{}, f.control[:40]); !errors.As(err, &short) && !errors.As(err, &parse) {
		t.Errorf("no header: %v", err)
	}
	if err := try(rangetest.Rule{Fault: rangetest.LoginPage}, f.control); !errors.As(err, &parse) {
		t.Errorf("a page: %v", err)
	}
	if err := try(rangetest.Rule{Fault: rangetest.Status, Status: 404}, f.control); !errors.As(err, &status) {
		t.Errorf("404: %v", err)
	}
	if err := try(rangetest.Rule{Fault: rangetest.Gzip}, f.control); err == nil {
		t.Error("a gzip body")
	}
	// Replaced between the first answer and its continuation: the new one is fetched.
	other, _ := controlFor(t, randomBytes(15<<20), 512)
	f.srv.ClearRules()
	f.srv.Put(controlPath, f.control)
	f.srv.Add(rangetest.Rule{Path: controlPath, Fault: rangetest.ShortBody, After: 300_000, Times: 1})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for f.srv.Count("") == 0 {
			time.Sleep(time.Millisecond)
		}
	}()
	f.srv.ResetLog()
	ctl, err := f.c.FetchWholeControl(shortly(t, 20*time.Second), f.url, Validators{})
	<-done
	f.checkWhole(ctl, err)
	f.srv.ClearRules()
	f.srv.Put(controlPath, other)
	stale := *ctl
	stale.Records = nil
	if err := f.c.FetchControlRange(shortly(t, 5*time.Second), &stale, format.Range{End: 5}, func(int64, []byte) error { return nil }); !errors.Is(err, ErrTargetChanged) {
		t.Errorf("replaced: %v", err)
	}
}

func TestModifiedSince(t *testing.T) {
	f := bigControl(t)
	at := time.Date(2024, 5, 6, 7, 8, 9, 999, time.FixedZone("", 3600)).Add(time.Hour)
	f.srv.SetValidators(controlPath, "", at)
	if _, err := f.c.FetchWholeControl(context.Background(), f.url, ModifiedSince(at)); !errors.Is(err, ErrNotModified) {
		t.Errorf("unchanged: %v", err)
	}
	if got := f.srv.Log()[0].Header.Get("If-Modified-Since"); got != at.UTC().Format(http.TimeFormat) {
		t.Errorf("If-Modified-Since %q", got)
	}
	ctl, err := f.c.FetchWholeControl(context.Background(), f.url, ModifiedSince(at.Add(-time.Second)))
	f.checkWhole(ctl, err)
}

func TestReadControl(t *testing.T) {
	f := bigControl(t)
	for _, r := range []io.Reader{bytes.NewReader(f.control), iotest.HalfReader(bytes.NewReader(f.control)),
		io.MultiReader(bytes.NewReader(f.control), bytes.NewReader(make([]byte, 1<<20)))} {
		ctl, err := ReadControl(r, f.url)
		f.checkWhole(ctl, err)
		k := &sink{f: f}
		records := func(_ context.Context, r format.BlockRange) ([]byte, error) {
			size := ctl.Header.RecordSize()
			return ctl.Records[int64(r.Start)*size : int64(r.End)*size], nil
		}
		if err := f.c.NewSource(ctl, nil).Fetch(context.Background(), f.all(), Foreground, records, k.deliver); err != nil {
			t.Fatal(err)
		}
	}
	var parse *format.ParseError
	if _, err := ReadControl(bytes.NewReader(f.control[:len(f.control)-1]), nil); !errors.As(err, &parse) {
		t.Errorf("a byte missing: %v", err)
	}
	broken := errors.New("broken")
	if _, err := ReadControl(io.MultiReader(bytes.NewReader(f.control[:100_000]), iotest.ErrReader(broken)), nil); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// TestControlServerDies: a server that goes away within the records, or sends a
// byte now and then, ends the call long before its context does.
func TestControlServerDies(t *testing.T) {
	f := bigControl(t)
	f.srv.Add(rangetest.Rule{Path: controlPath, Fault: rangetest.Reset, After: 300_000, Times: 1})
	f.srv.Add(rangetest.Rule{Path: controlPath, Fault: rangetest.Status, Status: 503})
	_, err := f.c.FetchWholeControl(context.Background(), f.url, Validators{})
	var status *StatusError
	if !errors.As(err, &status) || status.Code != 503 {
		t.Errorf("gone: %v", err)
	}
	f = bigControl(t)
	f.srv.Add(rangetest.Rule{Path: controlPath, Fault: rangetest.Drip, Delay: 50 * time.Millisecond})
	if _, err := f.c.FetchWholeControl(context.Background(), f.url, Validators{}); !errors.Is(err, ErrStalled) {
		t.Errorf("a byte now and then: %v", err)
	}
}
