package fs

import (
	"fmt"
	"testing"
)

// TestLongNames: the kernel is told to forget the oldest names with long headers when
// there are too many, and no others.
func TestLongNames(t *testing.T) {
	f, file, _ := newTestFS(t)
	k := &kernel{told: make(chan string, 1000)}
	k.connect(t, f, file)
	f.attach()
	for i := range 1000 {
		f.known("", fmt.Sprint("short ", i), longHeader-1)
	}
	const length = maxLong / 64
	for i := range 100 {
		f.known("", fmt.Sprint("long ", i), length)
	}
	f.Close() // the worker has done what there was
	close(k.told)
	i := 0
	for got := range k.told {
		if want := fmt.Sprintf("entry long %d of 1", i); got != want {
			t.Errorf("the kernel was told %q, want %q", got, want)
		}
		i++
	}
	if want := 100 - 64; i != want {
		t.Errorf("%d names were to be forgotten, want %d", i, want)
	}
}

// TestLongNamesUnheard: names that nobody could be told to forget are told of later.
func TestLongNamesUnheard(t *testing.T) {
	f, file, _ := newTestFS(t)
	for range 3 {
		f.known("", "long", maxLong)
	}
	k := &kernel{told: make(chan string, 10)}
	k.connect(t, f, file)
	f.attach()
	f.known("", "last", maxLong)
	f.Close()
	if n := len(k.told); n != 3 {
		t.Errorf("the kernel was told to forget %d names, want 3", n)
	}
}
