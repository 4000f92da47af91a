package reuse

import (
	"slices"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

func TestRelatives(t *testing.T) {
	f := &Finder{h: &format.Header{}, o: Options{Place: "https://h/new/disk-2.0.img.zsync"}}
	var entries []blockstore.Entry
	add := func(place string) {
		n := len(entries) + 1
		entries = append(entries, blockstore.Entry{Key: blockstore.Key{byte(n)}, Place: blockstore.Place(place), Used: time.Unix(int64(n), 0)})
	}
	for _, place := range []string{
		"https://h/new/disk-1.9.img.zsync",
		"https://h/old/disk-2.0.img.zsync",
		"https://h:443/new/disk-2.1.img.zsync",
		"https://h/new/other.tar.zsync",
		"http://h/new/disk-1.8.img.zsync",
		"https://h:8443/new/disk-1.8.img.zsync",
		"https://elsewhere/new/disk-2.0.img.zsync",
		"",
		"3b5d5c3712955042212316173ccf37be800000000000000000000000000000000",
		"%zz",
	} {
		add(place)
	}
	var got []byte
	for _, e := range alike(f.o.Place, f.allowed(entries)) {
		got = append(got, e.Key[0])
	}
	if want := []byte{3, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	f.key = blockstore.Key{1}
	for _, e := range f.allowed(entries) {
		if e.Key == f.key {
			t.Error("a version is its own relative")
		}
	}
	f.o.Place = ""
	if alike(f.o.Place, f.allowed(entries)) != nil {
		t.Error("a control file of no URL has relatives")
	}
}
