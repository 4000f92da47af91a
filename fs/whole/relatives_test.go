package whole

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

func TestRelatives(t *testing.T) {
	u, _ := url.Parse("https://h/new/disk-2.0.img.zsync?signed")
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
	for _, e := range relatives(u, blockstore.Key{200}, entries, 8) {
		got = append(got, e.Key[0])
	}
	if want := []byte{3, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for i := range 20 {
		add(fmt.Sprintf("https://h/new/disk-3.%d.img.zsync", i))
	}
	if n := len(relatives(u, blockstore.Key{1}, entries, 8)); n != 8 {
		t.Errorf("%d relatives", n)
	}
	if relatives(nil, blockstore.Key{}, entries, 8) != nil {
		t.Error("a control file of no URL has relatives")
	}
}

// TestPartOfARelative: only the blocks that it has are read.
func TestPartOfARelative(t *testing.T) {
	f := newFixture(t)
	data := randomBytes(1, 1<<20)
	f.publish("/x1", data, nil)
	fill := f.fill("/x1", nil)
	must(t, fill.open())
	for _, b := range []int{3, 4, 5, 100, 400} {
		must(t, fill.arrived(format.BlockID(b), data[b*blockSize:(b+1)*blockSize]))
	}
	r := newKnownReader(fill.version)
	if r.size != 5*blockSize || len(r.runs) != 3 {
		t.Errorf("%d bytes in %d runs", r.size, len(r.runs))
	}
	p := make([]byte, 3*blockSize)
	if n, err := r.ReadAt(p, 2*blockSize+10); n != 3*blockSize-10 || err == nil {
		t.Errorf("ReadAt: %d, %v", n, err)
	}
	want := slices.Concat(data[5*blockSize+10:6*blockSize], data[100*blockSize:101*blockSize], data[400*blockSize:401*blockSize])
	if !slices.Equal(p[:len(want)], want) {
		t.Error("wrong bytes")
	}
	must(t, fill.version.Forget(format.BlockRange{Start: 100, End: 101}))
	if n, err := r.ReadAt(p[:2*blockSize], 2*blockSize); n != 2*blockSize || err != nil || !slices.Equal(p[blockSize:2*blockSize], make([]byte, blockSize)) {
		t.Errorf("a block that was lost: %d, %v", n, err)
	}
	must(t, fill.Close())

	f.publish("/x2", data, nil)
	plan, err := f.fill("/x2", nil).Plan(context.Background())
	if err != nil || plan.Local != 4*blockSize {
		t.Errorf("%+v, %v", plan, err)
	}
}
