package archive

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// stored fails the test unless the store has values for these keys, and no others.
func (w *world) stored(want ...string) {
	w.t.Helper()
	w.meta.mu.Lock()
	got := slices.Sorted(maps.Keys(w.meta.m))
	w.meta.mu.Unlock()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("stored:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// lookEverywhere reads all listings and headers below d.
func (w *world) lookEverywhere(d *Dir) {
	w.t.Helper()
	entries, err := d.Entries(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Dir != nil {
			w.lookEverywhere(e.Dir)
		} else if _, err := e.File.Control(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// onlyRoot has the server lose all folders.
func (w *world) onlyRoot() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.dirs = map[string]bool{rootURL: true}
}

// TestStoredTree: nothing stays in the store of a folder that is gone, whether this run
// looked into it or an earlier one.
func TestStoredTree(t *testing.T) {
	for _, name := range []string{"looked at", "by an earlier run"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a.iso", "sub/b.iso", "sub/deep/c.iso")
			w.lookEverywhere(w.a.Root())
			w.stored("listing:http://h/pub/", "listing:http://h/pub/sub/", "listing:http://h/pub/sub/deep/",
				"header:http://h/pub/a.iso.zsync", "header:http://h/pub/sub/b.iso.zsync", "header:http://h/pub/sub/deep/c.iso.zsync")
			if name != "looked at" {
				w.a.Close()
				w.start()
			}
			w.onlyRoot()
			w.clock.pass(time.Hour)
			w.expect(w.a.Root(), "a.iso")
			w.stored("listing:http://h/pub/", "header:http://h/pub/a.iso.zsync")
		})
	}
}

// TestStoredLate: what comes of a folder or a file that is gone by then is not stored.
func TestStoredLate(t *testing.T) {
	w := newWorld(t, "a.iso", "sub/b.iso")
	e, err := w.a.Root().Lookup(t.Context(), "sub")
	if err != nil {
		t.Fatal(err)
	}
	f := w.file("a.iso")
	gate, arrived := w.s.hold()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{}, 2)
	go func() {
		if entries, err := e.Dir.Entries(ctx); err == nil {
			_, _ = entries[0].File.Control(ctx) // who waited may have it still
		}
		done <- struct{}{}
	}()
	go func() {
		_, _ = f.Control(ctx)
		done <- struct{}{}
	}()
	<-arrived
	<-arrived
	e.Dir.forget()
	f.forget()
	close(gate)
	<-done
	<-done
	w.a.Close()
	w.stored("listing:http://h/pub/")
}

// TestStoredElsewhere: of a file and a folder whose URL is another one in each listing, as
// of servers that sign them, what the last one leads to is stored.
func TestStoredElsewhere(t *testing.T) {
	w := newWorld(t, "a.iso", "sub/b.iso")
	w.lookEverywhere(w.a.Root())
	signature := ""
	w.a.Root().list = func(context.Context, zsyncclient.Validators) (*listing.Listing, zsyncclient.Validators, error) {
		return &listing.Listing{
			Files: []listing.Entry{{Name: "a.iso.zsync", URL: rootURL + "a.iso.zsync" + signature}},
			Dirs:  []listing.Entry{{Name: "sub", URL: rootURL + "sub/" + signature}},
		}, zsyncclient.Validators{Length: -1}, nil
	}
	for _, signature = range []string{"?1", "?2", "?3"} {
		w.clock.pass(time.Hour)
		w.expect(w.a.Root(), "a.iso sub/")
	}
	w.stored("listing:http://h/pub/", "listing:http://h/pub/sub/?3",
		"header:http://h/pub/a.iso.zsync?3", "header:http://h/pub/sub/b.iso.zsync")
	u, err := url.Parse(rootURL + "a.iso.zsync?3")
	if err != nil {
		t.Fatal(err)
	}
	w.s.fail(errDown) // what was moved is what is there after a restart
	w.a.Close()
	w.start()
	if f := w.file("a.iso"); w.length(f) != 10_000 || f.ControlURL().String() != u.String() {
		t.Errorf("%s", f.ControlURL())
	}
}
