package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

var errDown = errors.New("connection refused")

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
			if got := len(w.warned()); got != 1 {
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
	if got := w.warned(); len(got) != 1 || !strings.Contains(got[0], "a.iso") {
		t.Errorf("warnings: %q", got)
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
	synctest.Test(t, func(t *testing.T) {
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
		// What was on its way ahead has ended: before an outage is known, each of them
		// would ask.
		synctest.Wait()
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
	})
}

// TestOutageOfAWindow lets the server go while a window of headers waits for it: those
// that have been asked for fail, and no other is asked for.
func TestOutageOfAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 200 {
			w.s.put(fmt.Sprintf("f%03d", i), 100)
		}
		entries, err := w.a.Root().Entries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.length(entries[0].File)
		gate, arrived := w.s.hold()
		go func() {
			if _, err := entries[1].File.Control(t.Context()); !errors.Is(err, errDown) {
				t.Errorf("got %v", err)
			}
		}()
		synctest.Wait()
		asked := len(arrived)
		if asked == 0 || asked >= firstWindow {
			t.Fatalf("%d of a window of %d are asked for", asked, firstWindow)
		}
		w.s.fail(errDown)
		close(gate)
		synctest.Wait()
		if more := len(arrived) - asked; more != 0 {
			t.Errorf("%d requests in an outage", more)
		}
	})
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
