package archive

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

var errDown = errors.New("connection refused")

func TestEntries(t *testing.T) {
	w := newWorld(t, "b.iso", "a.iso", "sub/c.iso", "sub/deep/d.iso")
	root := w.a.Root()
	w.expect(root, "a.iso b.iso sub/")
	e, err := root.Lookup(t.Context(), "sub")
	if err != nil || e.Dir == nil || e.Dir.Path() != "sub" {
		t.Fatalf("%+v, %v", e, err)
	}
	w.expect(e.Dir, "c.iso deep/")
	c, err := e.Dir.Lookup(t.Context(), "c.iso")
	if err != nil || c.File.Path() != "sub/c.iso" || c.File.ControlURL().String() != rootURL+"sub/c.iso.zsync" {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, name := range []string{"", "x", "a.iso.zsync"} {
		if _, err := root.Lookup(t.Context(), name); !errors.Is(err, ErrNotExist) {
			t.Errorf("look up %q: %v", name, err)
		}
	}
	lists, fetches := w.s.counts()
	if lists != 2 || len(fetches) != 0 {
		t.Errorf("%d listings and %d headers were fetched", lists, len(fetches))
	}
	if s := w.a.Stats(); s.Entries != 5 || s.Directories != 2 || s.Known != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestMissingDirectory(t *testing.T) {
	w := newWorld(t)
	w.s.dirs = map[string]bool{}
	_, err := w.a.Root().Entries(t.Context())
	var status *zsyncclient.StatusError
	if !errors.As(err, &status) || status.Code != 404 {
		t.Errorf("got %v", err)
	}
}

func TestListingChanges(t *testing.T) {
	w := newWorld(t, "a.iso", "b.iso", "sub/c.iso")
	root := w.a.Root()
	w.expect(root, "a.iso b.iso sub/")
	a, b := w.file("a.iso"), w.file("b.iso")
	w.length(b)
	w.s.put("z.iso", 1)
	w.s.remove("b.iso")
	w.expect(root, "a.iso b.iso sub/") // still fresh
	w.clock.pass(time.Minute)
	w.expect(root, "a.iso sub/ z.iso")
	w.changed(change{"", "b.iso"}, change{"", "z.iso"})
	if w.file("a.iso") != a {
		t.Error("a.iso became another object")
	}
	if _, err := b.Control(t.Context()); !errors.Is(err, ErrNotExist) {
		t.Errorf("the file that is gone: %v", err)
	}
	if s := w.a.Stats(); s.Entries != 3 || s.Known != 0 || s.Bytes != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestDirectoryVanishes(t *testing.T) {
	w := newWorld(t, "a.iso", "sub/c.iso", "sub/deep/d.iso")
	e, err := w.a.Root().Lookup(t.Context(), "sub")
	if err != nil {
		t.Fatal(err)
	}
	w.expect(e.Dir, "c.iso deep/")
	w.s.mu.Lock()
	w.s.dirs = map[string]bool{rootURL: true}
	w.s.mu.Unlock()
	w.clock.pass(time.Minute)
	w.expect(w.a.Root(), "a.iso")
	if _, err := e.Dir.Entries(t.Context()); !errors.Is(err, ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if s := w.a.Stats(); s.Entries != 1 || s.Directories != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestHeaderChanges(t *testing.T) {
	w := newWorld(t, "a.iso")
	f := w.file("a.iso")
	if got := w.length(f); got != 10_000 {
		t.Fatalf("length %d", got)
	}
	c, err := f.Control(t.Context())
	if err != nil || len(c.Records) != 30 || c.URL.String() != rootURL+"a.iso.zsync" {
		t.Errorf("control %+v, %v", c, err)
	}
	w.clock.pass(time.Minute)
	w.length(f) // not modified
	w.changed()
	w.s.put("a.iso", 20_000)
	w.clock.pass(time.Minute)
	if got := w.length(f); got != 20_000 {
		t.Errorf("length %d", got)
	}
	w.changed(change{"", "a.iso"})
	if s := w.a.Stats(); s.Known != 1 || s.Bytes != 20_000 {
		t.Errorf("stats %+v", s)
	}
	_, fetches := w.s.counts()
	if len(fetches) != 3 || fetches[0] != (fetch{f.ControlURL().String(), singlePrefix, false}) || !fetches[2].again {
		t.Errorf("fetches %+v", fetches)
	}
}

// TestFaultsKeepTheLastGood lets each kind of wrong answer come after a good one.
func TestFaultsKeepTheLastGood(t *testing.T) {
	for _, fault := range []error{errDown, fmt.Errorf("list: %w", listing.ErrNotListing), &zsyncclient.StatusError{Code: 503}, &zsyncclient.StatusError{Code: 404}} {
		t.Run(fault.Error(), func(t *testing.T) {
			w := newWorld(t, "a.iso", "b.iso")
			f := w.file("a.iso")
			w.length(f)
			w.s.fail(fault)
			w.clock.pass(time.Minute)
			w.expect(w.a.Root(), "a.iso b.iso")
			if got := w.length(f); got != 10_000 {
				t.Errorf("length %d", got)
			}
			// In an outage the header was not even asked for.
			f.doc.await(t.Context(), w.a, f.handler(listPrefix))
			want := 2
			if isOutage(fault) {
				want = 1
			}
			if got := len(w.warned()); got != want {
				t.Errorf("warnings: %q", w.warned())
			}
			if got := w.a.Stats().Faults; len(got) != 2 {
				t.Errorf("faults: %+v", got)
			}
			w.s.fail(nil)
			w.s.put("a.iso", 5)
			w.clock.pass(time.Minute)
			w.expect(w.a.Root(), "a.iso b.iso")
			if got := w.length(f); got != 5 {
				t.Errorf("length %d after recovery", got)
			}
			w.changed(change{"", "a.iso"})
		})
	}
}

func TestBrokenControlFile(t *testing.T) {
	w := newWorld(t, "a.iso", "b.iso")
	f := w.file("a.iso")
	w.length(f)
	w.s.mu.Lock()
	w.s.docs[rootURL+"a.iso.zsync"] = []byte("<html>log in</html>\n\n")
	w.s.docs[rootURL+"b.iso.zsync"] = []byte("zsync: 0.6.2\nBlocksize: 3\n\n")
	w.s.mu.Unlock()
	w.clock.pass(time.Minute)
	if got := w.length(f); got != 10_000 {
		t.Errorf("length %d", got)
	}
	if _, err := w.file("b.iso").Control(t.Context()); err == nil || !strings.Contains(err.Error(), "b.iso") {
		t.Errorf("got %v", err)
	}
}

func TestEmptiedDirectory(t *testing.T) {
	w := newWorld(t, "a.iso")
	w.expect(w.a.Root(), "a.iso")
	w.s.remove("a.iso")
	w.clock.pass(time.Minute)
	w.expect(w.a.Root(), "a.iso")
	w.s.put("a.iso", 1)
	w.clock.pass(time.Minute)
	w.expect(w.a.Root(), "a.iso")
	w.s.remove("a.iso")
	w.clock.pass(time.Minute)
	w.expect(w.a.Root(), "a.iso")
	w.changed()
	w.clock.pass(time.Minute)
	w.expect(w.a.Root(), "")
	w.changed(change{"", "a.iso"})
}

// TestVanished removes a control file while the listing is fresh.
func TestVanished(t *testing.T) {
	w := newWorld(t, "a.iso", "b.iso")
	f := w.file("a.iso")
	w.s.remove("a.iso")
	w.clock.pass(10 * time.Second)
	if _, err := f.Control(t.Context()); !errors.Is(err, ErrNotExist) {
		t.Errorf("got %v", err)
	}
	w.expect(w.a.Root(), "b.iso")
	w.changed(change{"", "a.iso"})
}

func TestOfflineStart(t *testing.T) {
	w := newWorld(t, "a.iso", "b.iso", "sub/c.iso")
	w.expect(w.a.Root(), "a.iso b.iso sub/")
	w.length(w.file("a.iso"))
	w.a.Close()
	w.s.fail(errDown)
	w.clock.pass(time.Hour)
	w.start()
	w.expect(w.a.Root(), "a.iso b.iso sub/")
	if got := w.length(w.file("a.iso")); got != 10_000 {
		t.Errorf("length %d", got)
	}
	if _, err := w.file("b.iso").Control(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("never seen: %v", err)
	}
	// Back on line, what changed meanwhile is told.
	w.s.fail(nil)
	w.s.put("a.iso", 5)
	w.clock.pass(time.Hour)
	if got := w.length(w.file("a.iso")); got != 5 {
		t.Errorf("length %d", got)
	}
	w.changed(change{"", "a.iso"})
}

func TestDamagedStore(t *testing.T) {
	w := newWorld(t, "a.iso")
	w.length(w.file("a.iso"))
	w.a.Close()
	for k, v := range w.meta.m {
		v[len(v)/2] ^= 1
		w.meta.m[k] = v
	}
	w.start()
	if got := w.length(w.file("a.iso")); got != 10_000 {
		t.Errorf("length %d", got)
	}
	if lists, fetches := w.s.counts(); lists != 2 || len(fetches) != 2 || fetches[1].again {
		t.Errorf("%d listings, fetches %+v", lists, fetches)
	}
}

func TestNegativeCache(t *testing.T) {
	w := newWorld(t, "a.iso")
	f := w.file("a.iso")
	w.s.fail(errDown)
	try := func(want int) {
		t.Helper()
		for range 10 {
			if _, err := f.Control(t.Context()); !errors.Is(err, errDown) {
				t.Fatalf("got %v", err)
			}
		}
		if _, fetches := w.s.counts(); len(fetches) != want {
			t.Fatalf("%d fetches, want %d", len(fetches), want)
		}
	}
	try(1)
	w.clock.pass(3 * time.Second)
	try(2)
	w.clock.pass(3 * time.Second)
	try(2)
	w.clock.pass(3 * time.Second)
	try(3)
	w.s.fail(nil)
	w.clock.pass(time.Minute)
	if got := w.length(f); got != 10_000 {
		t.Errorf("length %d", got)
	}
}

// TestOutage looks at everything while the server is gone: no requests but one
// in a while, and one warning.
func TestOutage(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.s.put(fmt.Sprintf("f%03d", i), 100)
	}
	look := func(want int64) {
		t.Helper()
		entries, err := w.a.Root().Entries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if got := w.length(e.File); got != want {
				t.Fatalf("%s: length %d", e.Name, got)
			}
		}
	}
	look(100)
	w.s.fail(errDown)
	w.clock.pass(time.Minute)
	look(100)
	w.clock.pass(3 * time.Second)
	look(100)
	lists, fetches := w.s.counts()
	if requests := lists - 1 + len(fetches) - 200; requests > 3 {
		t.Errorf("%d requests in an outage", requests)
	}
	if got := w.warned(); len(got) != 1 {
		t.Errorf("warnings: %q", got)
	}
	w.s.fail(nil)
	for i := range 200 {
		w.s.put(fmt.Sprintf("f%03d", i), 20_000)
	}
	w.clock.pass(time.Minute)
	look(20_000)
}

// TestSlowServer gives the stale copy while the server does not answer, and
// makes only the first caller wait.
func TestSlowServer(t *testing.T) {
	w := newWorld(t, "a.iso", "b.iso")
	w.a.o.StaleWait = time.Millisecond
	fa, fb := w.file("a.iso"), w.file("b.iso")
	w.length(fa)
	w.length(fb)
	gate, arrived := w.s.hold()
	w.clock.pass(time.Minute)
	if got := w.length(fa); got != 10_000 {
		t.Errorf("length %d", got)
	}
	w.a.o.StaleWait = time.Hour // waited for in vain only if b waits too
	if got := w.length(fb); got != 10_000 {
		t.Errorf("length %d", got)
	}
	<-arrived
	<-arrived
	close(gate)
}

// TestShared lets many wait for one flight, the first of them leave, and the
// flight go on.
func TestShared(t *testing.T) {
	w := newWorld(t, "a.iso")
	f := w.file("a.iso")
	gate, arrived := w.s.hold()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := f.Control(ctx)
		left <- err
	}()
	<-arrived
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if c, err := f.Control(t.Context()); err != nil || c.Header.Length != 10_000 {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that left got %v", err)
	}
	close(gate)
	wg.Wait()
	if _, fetches := w.s.counts(); len(fetches) != 1 {
		t.Errorf("%d fetches", len(fetches))
	}
}

func TestConflict(t *testing.T) {
	w := newWorld(t, "x", "x/y.iso", "z.iso")
	for range 3 {
		w.expect(w.a.Root(), "x z.iso")
		w.clock.pass(time.Minute)
	}
	if got := w.warned(); len(got) != 1 || !strings.Contains(got[0], `"x"`) {
		t.Errorf("warnings: %q", got)
	}
	if w.file("x") == nil {
		t.Error("the file is not shown")
	}
}

func TestSingle(t *testing.T) {
	w := newWorld(t, "a b.iso")
	w.s.docs = map[string][]byte{rootURL + "a%20b.iso.zsync?sig=1": controlFile("a", 77)}
	for given, name := range map[string]string{
		rootURL + "a%20b.iso.zsync?sig=1": "a b.iso",
		"http://h/download/":              "download",
		"http://h":                        "target",
		"http://h/%2e%2e":                 "target",
		"http://h/.zsync":                 "target",
	} {
		u, err := url.Parse(given)
		if err != nil {
			t.Fatal(err)
		}
		a := NewSingle(u, w.options())
		entries, err := a.Root().Entries(t.Context())
		if err != nil || len(entries) != 1 || entries[0].Name != name {
			t.Errorf("%s: %+v, %v", given, entries, err)
		}
		c, err := entries[0].File.Control(t.Context())
		if strings.HasSuffix(given, "sig=1") {
			if err != nil || c.Header.Length != 77 {
				t.Errorf("%+v, %v", c, err)
			}
		} else if err == nil || errors.Is(err, ErrNotExist) {
			t.Errorf("%s: %v", given, err)
		}
		a.Close()
	}
}

func TestIndex(t *testing.T) {
	w := newWorld(t, "a.iso", "b.iso")
	index := func(text string) *listing.Listing {
		l, err := listing.ParseIndex(nil, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	now := index(rootURL + "a.iso.zsync\n")
	var fault error
	a := NewIndex(now, func(context.Context) (*listing.Listing, error) { return now, fault }, w.options())
	defer a.Close()
	w.expect(a.Root(), "a.iso")
	now = index(rootURL + "a.iso.zsync\n" + rootURL + "b.iso.zsync\n")
	w.clock.pass(time.Minute)
	w.expect(a.Root(), "a.iso b.iso")
	fault = errDown
	w.clock.pass(time.Minute)
	w.expect(a.Root(), "a.iso b.iso")
	w.changed(change{"", "b.iso"})
}

func TestClose(t *testing.T) {
	w := newWorld(t, "a.iso", "b.iso")
	fa, fb := w.file("a.iso"), w.file("b.iso")
	w.length(fa)
	_, arrived := w.s.hold()
	got := make(chan error)
	go func() {
		_, err := fb.Control(t.Context())
		got <- err
	}()
	<-arrived
	w.a.Close()
	if err := <-got; !errors.Is(err, ErrClosed) {
		t.Errorf("under way: %v", err)
	}
	if got := w.length(fa); got != 10_000 {
		t.Errorf("length %d", got)
	}
	if _, err := fb.Control(t.Context()); err == nil {
		t.Error("a fetch after Close")
	}
	w.clock.pass(time.Hour)
	w.expect(w.a.Root(), "a.iso b.iso")
	w.a.Close()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, frame := range []string{"(*notifier).run", "document[...]).run", "(*File).prefetch"} {
		if strings.Contains(string(stacks), frame) {
			t.Errorf("%s still runs:\n%s", frame, stacks)
		}
	}
}

// TestMany uses everything at once, for the race detector.
func TestMany(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		w.s.put(fmt.Sprintf("f%03d", i), 1+i)
	}
	go func() {
		for range w.changes {
		}
	}()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 30 {
				entries, err := w.a.Root().Entries(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range entries[:min(40, len(entries))] {
					if _, err := e.File.Control(t.Context()); err != nil && !errors.Is(err, ErrNotExist) {
						t.Error(err)
					}
				}
				w.s.put(fmt.Sprintf("f%03d", (g*37+i)%300), 1000+i)
				w.s.remove(fmt.Sprintf("f%03d", (g*17+i)%300))
				w.clock.pass(20 * time.Second)
				w.a.Stats()
			}
		})
	}
	wg.Wait()
	w.a.Close()
	close(w.changes)
	if got := w.a.Stats(); got.Known > got.Entries {
		t.Errorf("stats %+v", got)
	}
}
