package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseLog(t *testing.T) {
	log := "/ 900 700\n/.settle-3 300 100\n/a.img 4396 4096\nnot a line\n/a.img.zsync 2000 1700\n/b.img 40"
	got := sum(parseLog(log))
	if want := (traffic{requests: 3, files: 2, sent: 900 + 4396 + 2000, data: 4096}); got != want {
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

func TestCheckListing(t *testing.T) {
	line := func(i int) string {
		return fmt.Sprintf("-r--r--r-- 1 root root %d May  4 12:00 %s\n", artifactLength, artifactName(i))
	}
	good := "total 0\n" + line(0) + line(1)
	if err := checkListing(good, 2, artifactLength); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]string{
		"one less": "total 0\n" + line(0), "one more": good + line(2), "other name": line(0) + line(2),
		"other length": line(0) + strings.Replace(line(1), fmt.Sprint(artifactLength), "0", 1),
		"no length":    line(0) + "-????????? ? ? ? ? ? artifact-000001.img\n",
	} {
		if err := checkListing(bad, 2, artifactLength); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestReadTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	const length = tailLength + 100
	if err := writeImage(path, length, []content{{0, length}}, 1); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readTail(path, length); err != nil || !bytes.Equal(got, text[100:]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := readTail(path, length+1); err == nil {
		t.Error("a short file has a whole tail")
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
