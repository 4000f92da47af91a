package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestParseLog(t *testing.T) {
	log := "/ 900 700\n/.settle-3 300 100\n/a.img 4396 4096\nnot a line\n/a.img.zsync 2000 1700\n/b.img 40"
	got := sum(parseLog(log))
	if want := (traffic{requests: 3, sent: 900 + 4396 + 2000, data: 4096}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestResourcesRunBackwards(t *testing.T) {
	r := newResources()
	var order []int
	for i := range 4 {
		r.add(func() { order = append(order, i) })
	}
	r.releaseTo(2)
	if r.mark() != 2 {
		t.Errorf("mark: %d", r.mark())
	}
	close(r.parked) // nothing is measured here
	r.close()
	if !slices.Equal(order, []int{3, 2, 1, 0}) {
		t.Errorf("order: %v", order)
	}
}

// The gate lets nothing through early: this is a lower bound, whatever the machine does.
func TestGate(t *testing.T) {
	body := bytes.Repeat([]byte("gate"), 100_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(body) }))
	defer server.Close()
	const opening = 20 * time.Millisecond
	g, err := openGate(server.Listener.Addr().String(), 10_000_000, opening)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	begin := time.Now()
	resp, err := client.Get("http://" + g.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if took := time.Since(begin); took < opening+40*time.Millisecond {
		t.Errorf("passed in %v", took)
	}
}

func TestReading(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	z := sizes{Sparse: 256 * mib, Dense: 4 * mib}
	if err := writeImage(path, z.Dense, sparseContent(sizes{Sparse: z.Dense, Dense: z.Dense}), 1); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || int64(len(text)) != z.Dense {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	if _, err := readAll(context.Background(), path, 0, z.Dense); err != nil {
		t.Error(err)
	}
	if _, err := readAll(context.Background(), path, 0, z.Dense+1); err == nil {
		t.Error("read past the end")
	}
	places := offsets(50, z.Dense, 1)
	if places[0]%readLength != 0 || slices.Max(places) > z.Dense-readLength {
		t.Errorf("places: %v", places)
	}
	if _, err := readRandom(context.Background(), path, path, places, false); err != nil {
		t.Error(err)
	}
	if err := compare(path, path, 0, z.Dense); err != nil {
		t.Error(err)
	}
	text[3*mib] ^= 1
	text[places[7]] ^= 1
	if err := os.WriteFile(other, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := compare(path, other, 0, z.Dense); err == nil {
		t.Error("compare found no difference")
	}
	if _, err := readRandom(context.Background(), path, other, places, true); err == nil {
		t.Error("readRandom found no difference")
	}
	for _, do := range []func(string) error{loadPages, dropPages} {
		if err := do(dir); err != nil {
			t.Error(err)
		}
	}
}
