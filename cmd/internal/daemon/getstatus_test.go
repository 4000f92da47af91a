package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// awaitGets asks for the daemon's status until its gets are as ok says.
func awaitGets(t *testing.T, c *Client, what string, ok func([]GetStatus) bool) []GetStatus {
	t.Helper()
	var gets []GetStatus
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		s, err := c.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if gets = s.Gets; ok(gets) {
			return gets
		}
	}
	t.Fatalf("%s: %+v", what, gets)
	return nil
}

// TestStatusShowsGets: each with how far it is, and nothing that is secret.
func TestStatusShowsGets(t *testing.T) {
	srv, data := publish(t, 1<<20)
	store := t.TempDir()
	d := newDaemon(t, store)
	defer d.Close()
	c := NewClient(store)
	awaitGets(t, c, "at the start", func(g []GetStatus) bool { return g != nil && len(g) == 0 })
	srv.Add(rangetest.Rule{Path: "/x", Fault: rangetest.Stall, After: 300_000})
	secret := strings.Replace(srv.URL("/x.zsync?token=secret"), "://", "://me:secret@", 1)
	spec := GetSpec{Source: secret, NoFile: true, Access: access.Access{LimitRate: 100 << 20}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	get := func() {
		ended <- c.Get(ctx, spec, GetWatch{}, func(GetResult, *os.File) error { return errors.New("used") })
	}
	go get()
	gets := awaitGets(t, c, "one that fetches", func(g []GetStatus) bool {
		return len(g) == 1 && g[0].Known > 200_000 && g[0].Done == g[0].Known
	})
	want := GetStatus{Source: srv.URL("/x.zsync"), Since: gets[0].Since, Step: "fetching", Done: gets[0].Known,
		Total: int64(len(data)), Known: gets[0].Known, Length: int64(len(data)), LimitRate: 100 << 20}
	if gets[0] != want || gets[0].Since.Before(d.started) {
		t.Errorf("%+v, want %+v", gets[0], want)
	}
	go get()
	gets = awaitGets(t, c, "one that waits", func(g []GetStatus) bool { return len(g) == 2 })
	if gets[1].Step != "waiting" || gets[1].Length != 0 || gets[1].Source != want.Source {
		t.Errorf("%+v", gets[1])
	}
	text, err := json.Marshal(gets[0])
	if err != nil || strings.Contains(string(text), "secret") {
		t.Errorf("%s, %v", text, err)
	}
	for _, key := range []string{"source", "since", "step", "done", "total", "known", "length", "limit_rate"} {
		if !strings.Contains(string(text), `"`+key+`":`) {
			t.Errorf("no key %s: %s", key, text)
		}
	}
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	awaitGets(t, c, "cancelled", func(g []GetStatus) bool { return len(g) == 0 })

	srv.ClearRules()
	srv.Add(rangetest.Rule{Path: "/x.zsync", Delay: 500 * time.Millisecond})
	exported := make(chan struct{})
	go func() {
		ended <- c.Get(t.Context(), spec, GetWatch{}, func(GetResult, *os.File) error { <-exported; return nil })
	}()
	awaitGets(t, c, "one that asks", func(g []GetStatus) bool { return len(g) == 1 && g[0].Step == "asking" })
	gets = awaitGets(t, c, "one that has its answer", func(g []GetStatus) bool { return len(g) == 1 && g[0].Step == "exporting" })
	if g := gets[0]; g.Known != g.Length || g.Length != int64(len(data)) || g.Total != 0 {
		t.Errorf("%+v", g)
	}
	close(exported)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	awaitGets(t, c, "at the end", func(g []GetStatus) bool { return len(g) == 0 })
}
