package archive

import (
	"fmt"
	"testing"
	"time"
)

// TestPrefetch looks at a directory as "ls -l" does.
func TestPrefetch(t *testing.T) {
	w := newWorld(t)
	const count = 1000
	for i := range count {
		w.s.put(fmt.Sprintf("f%04d", i), 1+i)
	}
	entries, err := w.a.Root().Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, fetches := w.s.counts(); len(fetches) != 0 {
		t.Fatalf("the listing alone cost %d fetches", len(fetches))
	}
	gate, arrived := w.s.hold()
	go func() { gate <- struct{}{} }()
	if _, err := entries[0].File.Control(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-arrived
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, e := range entries[1:] {
			if c, err := e.File.Control(t.Context()); err != nil || c.Header.BlockSize != 2048 {
				t.Errorf("%s: %v", e.Name, err)
			}
		}
	}()
	// The second one takes headers along: 12 ahead and itself, with the gate shut.
	for range 13 {
		<-arrived
	}
	close(gate)
	<-done
	_, fetches := w.s.counts()
	if len(fetches) != count {
		t.Errorf("%d fetches for %d files", len(fetches), count)
	}
	seen := map[string]bool{}
	for _, f := range fetches {
		if seen[f.url] {
			t.Errorf("%s was fetched twice", f.url)
		}
		seen[f.url] = true
		if f.prefix != listPrefix {
			t.Errorf("%s with %d bytes, want %d", f.url, f.prefix, listPrefix)
		}
	}
	w.s.mu.Lock()
	if w.s.most > 16 {
		t.Errorf("%d fetches at once", w.s.most)
	}
	w.s.mu.Unlock()
	if got := w.a.Stats(); got.Known != count || got.Bytes != count*(count+1)/2 {
		t.Errorf("stats %+v", got)
	}
	// Once more, from memory; and in a new life, from the store.
	for range 2 {
		for _, e := range entries {
			if _, err := e.File.Control(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.a.Close()
		w.start()
		if entries, err = w.a.Root().Entries(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, again := w.s.counts(); len(again) != count {
		t.Errorf("%d more fetches", len(again)-count)
	}
}

// TestSingleOpens asks for files out of order: nothing is fetched ahead, and
// records come along.
func TestSingleOpens(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.s.put(fmt.Sprintf("f%03d", i), 10_000)
	}
	w.names(w.a.Root())
	for _, i := range []int{50, 10, 90, 30, 70} {
		c, err := w.file(fmt.Sprintf("f%03d", i)).Control(t.Context())
		if err != nil || len(c.Records) != 30 {
			t.Errorf("%d: %+v, %v", i, c, err)
		}
	}
	_, fetches := w.s.counts()
	if len(fetches) != 5 {
		t.Errorf("%d fetches", len(fetches))
	}
	for _, f := range fetches {
		if f.prefix != singlePrefix {
			t.Errorf("%+v", f)
		}
	}
}

// TestForegroundFirst opens a file while a window of others waits.
func TestForegroundFirst(t *testing.T) {
	w := newWorld(t)
	for i := range 500 {
		w.s.put(fmt.Sprintf("f%03d", i), 10_000)
	}
	entries, err := w.a.Root().Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entries[0].File.Control(t.Context()); err != nil {
		t.Fatal(err)
	}
	gate, arrived := w.s.hold()
	done := make(chan struct{}, 2)
	get := func(i int) {
		if _, err := entries[i].File.Control(t.Context()); err != nil {
			t.Error(err)
		}
		done <- struct{}{}
	}
	go get(1)
	for range 13 {
		<-arrived
	}
	go get(400)
	if got := <-arrived; got != entries[400].File.ControlURL().String() {
		t.Errorf("%s came first", got)
	}
	close(gate)
	<-done
	<-done
}

func TestWindow(t *testing.T) {
	d := newDir(nil, "", "")
	if s, e, ordered := d.window(0, 5000); s != e || ordered {
		t.Error("a window without a listing")
	}
	d.listed()
	asked := 1
	for i := range 5000 {
		start, end, ordered := d.window(i, 5000)
		if !ordered {
			t.Fatalf("%d: ordered %v", i, ordered)
		}
		if start < end {
			if i > 1 && start != asked || end-i-1 > maxWindow || end > 5000 {
				t.Fatalf("%d: window [%d,%d), asked up to %d", i, start, end, asked)
			}
			asked = end
		}
		if i > 0 && asked <= i {
			t.Fatalf("%d was not asked for ahead", i)
		}
	}
	if asked != 5000 {
		t.Errorf("asked up to %d", asked)
	}
}

// TestBounds keeps memory bounded, and finds again what had to leave it.
func TestBounds(t *testing.T) {
	c := newHeaderCache()
	var files []*File
	for i := range maxHeaders + 10 {
		files = append(files, newFile(nil, fmt.Sprint(i), ""))
		gone := c.put(files[i], &header{raw: make([]byte, 100)})
		if i < maxHeaders && len(gone) != 0 || i >= maxHeaders && (len(gone) != 1 || gone[0] != files[i-maxHeaders]) {
			t.Fatalf("%d: %d left", i, len(gone))
		}
	}
	if gone := c.put(files[0], &header{raw: make([]byte, maxHeaderBytes)}); len(gone) != maxHeaders {
		t.Errorf("%d left for the large one", len(gone))
	}
	for i := range 2 * maxRecordHolders {
		c.keepRecords(files[i], &header{}, make([]byte, 2*maxRecordBytes))
	}
	if len(c.holders) != maxRecordHolders || len(c.holders[0].records) != maxRecordBytes {
		t.Errorf("%d holders of %d bytes", len(c.holders), len(c.holders[0].records))
	}

	w := newWorld(t, "a.iso")
	f := w.file("a.iso")
	w.length(f)
	f.doc.drop()
	if got := w.length(f); got != 10_000 {
		t.Errorf("length %d", got)
	}
	if _, fetches := w.s.counts(); len(fetches) != 1 {
		t.Errorf("%d fetches", len(fetches))
	}
}

// TestLarge lists as many entries as a listing may have, and starts again from
// the store.
func TestLarge(t *testing.T) {
	w := newWorld(t)
	const count = 100_000
	w.changes = make(chan change, 2*count)
	w.s.mu.Lock()
	doc := controlFile("x", 1)
	for i := range count {
		w.s.docs[fmt.Sprintf("%sdaily-build-%x-%d.iso.zsync", rootURL, i*7919, i)] = doc
	}
	w.s.mu.Unlock()
	for range 2 {
		entries, err := w.a.Root().Entries(t.Context())
		if err != nil || len(entries) != count {
			t.Fatal(len(entries), err)
		}
		w.a.Close()
		w.clock.pass(time.Second)
		w.start()
	}
	if lists, _ := w.s.counts(); lists != 1 {
		t.Errorf("%d listings", lists)
	}
	if len(w.meta.m) < 2 {
		t.Error("the listing was not cut into parts")
	}
	// When it shrinks, its parts go.
	w.s.mu.Lock()
	w.s.docs = map[string][]byte{rootURL + "x.zsync": doc}
	w.s.mu.Unlock()
	w.clock.pass(time.Hour)
	w.expect(w.a.Root(), "x")
	if len(w.meta.m) != 1 {
		t.Errorf("%d values are left", len(w.meta.m))
	}
}
