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
		l, err := listing.ParseIndex(t.Context(), nil, []byte(text))
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

// vanished says that a control file went between the listing and its fetch.
func vanished(err error) bool {
	var status *zsyncclient.StatusError
	return errors.As(err, &status) && status.Code == 404
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
					if _, err := e.File.Control(t.Context()); err != nil && !errors.Is(err, ErrNotExist) && !vanished(err) {
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

func TestReplaced(t *testing.T) {
	w := newWorld(t, "a.iso", "b.iso")
	f := w.file("a.iso")
	c, err := f.Control(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Second)
	if f.Replaced(t.Context(), c) {
		t.Error("the same file counts as another")
	}
	w.s.fail(errDown)
	w.clock.pass(time.Second)
	if f.Replaced(t.Context(), c) {
		t.Error("no answer counts as another file")
	}
	w.s.fail(nil)
	w.s.put("a.iso", 5)
	w.clock.pass(time.Minute)
	if !f.Replaced(t.Context(), c) {
		t.Error("another file counts as the same")
	}
	w.changed(change{"", "a.iso"})
	if got := w.length(f); got != 5 {
		t.Errorf("length %d", got)
	}
	if c, err = f.Control(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.s.remove("a.iso")
	w.clock.pass(time.Second)
	for range 2 { // the second time it is known
		if !f.Replaced(t.Context(), c) {
			t.Error("a file that is gone counts as the same")
		}
	}
	// It was asked about once for answers that are young still.
	g := w.file("b.iso")
	if c, err = g.Control(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, before := w.s.counts()
	for range 10 {
		g.Replaced(t.Context(), c)
	}
	if _, after := w.s.counts(); len(after) != len(before) {
		t.Errorf("%d requests", len(after)-len(before))
	}
}

func TestFresh(t *testing.T) {
	w := newWorld(t, "a.iso")
	f := w.file("a.iso")
	if got := f.Fresh(); got != 0 {
		t.Errorf("fresh for %v before it is known", got)
	}
	w.clock.pass(10 * time.Second)
	w.length(f)
	for _, want := range []time.Duration{50, 30, 10, 0, 0} { // the listing is 10 s older
		if got := f.Fresh(); got != want*time.Second {
			t.Errorf("fresh for %v, want %v", got, want*time.Second)
		}
		w.clock.pass(20 * time.Second)
	}
	w.length(w.file("a.iso"))
	if got := f.Fresh(); got != time.Minute {
		t.Errorf("fresh for %v after a look", got)
	}
	w.s.fail(errDown)
	f.Replaced(t.Context(), &zsyncclient.Control{})
	w.clock.pass(time.Second)
	f.Replaced(t.Context(), &zsyncclient.Control{})
	if got := f.Fresh(); got != 0 {
		t.Errorf("fresh for %v although the last look failed", got)
	}
	w.clock.pass(-time.Hour)
	if got := w.a.Root().Fresh(); got != 0 {
		t.Errorf("fresh for %v with a clock that was set back", got)
	}
}
