package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestMetaBound: values of URLs go, the oldest first, when there are too many, on the disk
// too; others stay.
func TestMetaBound(t *testing.T) {
	const most, count = 1 << 20, 10_000
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	s.index.maxMeta = most
	small, large := bytes.Repeat([]byte("s"), 600), bytes.Repeat([]byte("l"), 2*metaPiece)
	must(t, s.MetaPut("limits", []byte("of the user")))
	for i := range count {
		value := small
		if i%100 == 0 {
			value = large
		}
		must(t, s.MetaPut(fmt.Sprintf("header:http://h/%d", i), value))
		if i%1000 == 0 {
			must(t, s.commitIndex(nil))
		}
	}
	check := func() {
		t.Helper()
		sum := 0
		for key, value := range content(t, s) {
			if strings.HasPrefix(key, indexMeta) || strings.HasPrefix(key, indexPiece) {
				sum += len(key) + len(value)
			}
		}
		if sum > most || sum < most/3 {
			t.Errorf("values of %d bytes, at most %d may be there", sum, most)
		}
		if v, err := s.MetaGet("limits"); err != nil || string(v) != "of the user" {
			t.Errorf("what cannot be had again: %q, %v", v, err)
		}
		for i, want := range map[int][]byte{count - 1: small, count - 100: large} {
			if v, err := s.MetaGet(fmt.Sprintf("header:http://h/%d", i)); err != nil || !bytes.Equal(v, want) {
				t.Errorf("value %d: %d bytes, %v", i, len(v), err)
			}
		}
		for _, i := range []int{0, 1, count / 2} {
			if _, err := s.MetaGet(fmt.Sprintf("header:http://h/%d", i)); !errors.Is(err, ErrNotFound) {
				t.Errorf("value %d, which is old: %v", i, err)
			}
		}
	}
	check()
	must(t, s.Close())
	s, _ = openStore(t, dir)
	check()
	// What is there at the start counts.
	s.index.maxMeta = most / 4
	must(t, s.MetaPut("header:http://h/", small))
	if n := len(content(t, s)); n > most/4/600 {
		t.Errorf("%d values are left", n)
	}
	must(t, s.Close())
}
