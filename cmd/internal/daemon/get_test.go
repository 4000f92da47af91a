package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// publish serves size bytes at /x, with a control file, and returns them.
func publish(t *testing.T, size int) (*rangetest.Server, []byte) {
	t.Helper()
	srv := rangetest.New()
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	for i := range size / 2048 {
		data[i*2048] = byte(i)
		data[i*2048+1] = byte(i >> 8)
	}
	b, err := format.NewBuilder(format.BuilderOptions{BlockSize: 2048, Filename: "x", URLs: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(data)
	var control bytes.Buffer
	if _, err := b.WriteTo(&control); err != nil {
		t.Fatal(err)
	}
	srv.Put("/x", data)
	srv.Put("/x.zsync", control.Bytes())
	return srv, data
}

func TestGetByADaemon(t *testing.T) {
	srv, data := publish(t, 1<<20)
	store, out := t.TempDir(), t.TempDir()
	c := NewClient(store)
	spec := GetSpec{Source: srv.URL("/x.zsync"), Dir: out, Seeds: []string{filepath.Join(out, "none")}}
	none := func(GetResult, *os.File) error { return errors.New("used") }
	if err := c.Get(context.Background(), spec, GetWatch{}, none); !errors.Is(err, ErrNoDaemon) {
		t.Fatalf("without a daemon: %v", err)
	}
	d := newDaemon(t, store)
	var mu sync.Mutex
	var steps, warned []string
	w := GetWatch{
		Step: func(s download.Step) { steps = append(steps, s.Kind.String()) },
		Warn: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			warned = append(warned, err.Error())
		},
	}
	err := c.Get(context.Background(), spec, w, func(r GetResult, f *os.File) error {
		got, err := io.ReadAll(io.NewSectionReader(f, 0, r.Length))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if r.File != filepath.Join(out, "x") || r.Fetched != int64(len(data)) || r.UpToDate {
			t.Errorf("%+v", r)
		}
		return os.WriteFile(r.File, got, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(steps, " ") != "fetching verifying" || len(warned) != 1 || !strings.Contains(warned[0], "seed not used") {
		t.Errorf("steps %q, warnings %q", steps, warned)
	}
	count := 0
	for _, dry := range []bool{false, true} {
		spec.DryRun = dry
		err = c.Get(context.Background(), spec, GetWatch{}, func(r GetResult, f *os.File) error {
			count++
			if f != nil || !r.UpToDate || r.Local != r.Length {
				t.Errorf("%+v", r)
			}
			return nil
		})
		if err != nil || count == 0 {
			t.Errorf("again: %v", err)
		}
	}
	mine := errors.New("mine")
	spec.DryRun, spec.NoFile = false, true
	if err := c.Get(context.Background(), spec, GetWatch{}, func(GetResult, *os.File) error { return mine }); err != mine {
		t.Errorf("an error of use: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestGetThatADaemonRefuses(t *testing.T) {
	srv, _ := publish(t, 4096)
	store := t.TempDir()
	d := newDaemon(t, store)
	c := NewClient(store)
	use := func(GetResult, *os.File) error { return errors.New("used") }
	for _, spec := range []GetSpec{
		{Source: "ftp://h/x.zsync"},
		{Source: srv.URL("/none.zsync")},
		{Source: srv.URL("/x.zsync"), File: store},
		{Source: srv.URL("/x.zsync"), Access: access.Access{User: "me"}},
	} {
		err := c.Get(context.Background(), spec, GetWatch{}, use)
		var failure *Failure
		if !errors.As(err, &failure) || failure.Code != 7 || failure.Hint != "a hint" {
			t.Errorf("%+v: %v", spec, err)
		}
	}
	resp, err := c.http.Post("http://daemon/v1/get", "application/json", strings.NewReader(`{"Unknown":1}`))
	if err != nil || resp.StatusCode != 400 {
		t.Errorf("an unknown key: %v, %v", resp, err)
	}
	resp.Body.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Get(context.Background(), GetSpec{}, GetWatch{}, use); !errors.Is(err, ErrEnding) {
		t.Errorf("after its end: %v", err)
	}
}

// TestGetEndsWithItsClientAndItsDaemon: neither waits for a slow server.
func TestGetEndsWithItsClientAndItsDaemon(t *testing.T) {
	srv, data := publish(t, 1<<20)
	store := t.TempDir()
	d := newDaemon(t, store)
	c := NewClient(store)
	srv.Add(rangetest.Rule{Path: "/x", Fault: rangetest.Stall, After: 300_000})
	start := func(ctx context.Context) chan error {
		ended := make(chan error, 1)
		before := srv.Count("/x")
		go func() {
			ended <- c.Get(ctx, GetSpec{Source: srv.URL("/x.zsync"), NoFile: true}, GetWatch{},
				func(GetResult, *os.File) error { return errors.New("used") })
		}()
		for srv.Count("/x") == before {
			time.Sleep(time.Millisecond)
		}
		return ended
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := start(ctx)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	d.mounting.Wait() // it ends in the daemon too
	ended = start(context.Background())
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrNoDaemon) {
		t.Errorf("the daemon ended: %v", err)
	}
	// Whoever has the store then does the rest.
	srv.ClearRules()
	d = newDaemon(t, store)
	defer d.Close()
	err := c.Get(context.Background(), GetSpec{Source: srv.URL("/x.zsync"), NoFile: true}, GetWatch{},
		func(r GetResult, _ *os.File) error {
			if r.Local+r.Fetched != int64(len(data)) {
				t.Errorf("%+v", r)
			}
			return nil
		})
	if err != nil {
		t.Error(err)
	}
}

// TestGetsHaveLimitsOfTheirOwn: a limit crosses the socket, and holds for its get
// only.
func TestGetsHaveLimitsOfTheirOwn(t *testing.T) {
	limited, data := publish(t, 300<<10)
	free, _ := publish(t, 300<<10)
	store := t.TempDir()
	d := newDaemon(t, store)
	defer d.Close()
	const rate = 200_000
	get := func(srv *rangetest.Server, limit int64) {
		spec := GetSpec{Source: srv.URL("/x.zsync"), NoFile: true, Access: access.Access{LimitRate: limit}}
		err := NewClient(store).Get(t.Context(), spec, GetWatch{}, func(r GetResult, _ *os.File) error {
			if r.Fetched != r.Length {
				t.Errorf("limit %d: %+v", limit, r)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	start := time.Now()
	done := make(chan time.Duration)
	go func() { get(limited, rate); done <- time.Since(start) }()
	get(free, 0)
	select {
	case <-done:
		t.Error("a get without a limit took as long as one with")
		return
	default:
	}
	// An eighth of a second's bytes come at once.
	least := time.Duration(float64(len(data))/rate*float64(time.Second)) - time.Second/8
	if took := <-done; took < least {
		t.Errorf("%d bytes in %v, want %v or more", len(data), took, least)
	}
}

// TestGetsOfOneSource: two at the same time fetch it once.
func TestGetsOfOneSource(t *testing.T) {
	srv, data := publish(t, 1<<20)
	store := t.TempDir()
	d := newDaemon(t, store)
	defer d.Close()
	srv.SetRate(4 << 20)
	var fetched, local atomic.Int64
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			err := NewClient(store).Get(context.Background(), GetSpec{Source: srv.URL("/x.zsync"), NoFile: true}, GetWatch{},
				func(r GetResult, _ *os.File) error {
					fetched.Add(r.Fetched)
					local.Add(r.Local)
					return nil
				})
			if err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if n := int64(len(data)); fetched.Load() != n || local.Load() != n || srv.Bytes("/x") != n {
		t.Errorf("fetched %d, used %d, sent %d of %d bytes", fetched.Load(), local.Load(), srv.Bytes("/x"), n)
	}
}

func TestFilesInTheDaemonsMounts(t *testing.T) {
	d := newDaemon(t, t.TempDir())
	defer d.Close()
	d.mounts["/m"] = &mounted{spec: Spec{Dir: "/m"}}
	var warned int
	spec := GetSpec{Dir: "/home", Seeds: []string{"/m/old", "/mm/old"}}
	if err := d.keepOutOfMounts(&spec, func(error) { warned++ }); err != nil || warned != 1 || len(spec.Seeds) != 1 {
		t.Errorf("%v, %d warnings, seeds %v", err, warned, spec.Seeds)
	}
	for _, spec := range []GetSpec{{Dir: "/m/a"}, {Dir: "/", File: "/m/x"}} {
		if err := d.keepOutOfMounts(&spec, func(error) {}); err == nil {
			t.Errorf("%+v was not refused", spec)
		}
	}
	delete(d.mounts, "/m")
}
