package archive

import (
	"bytes"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

func sampleListing() *storedListing {
	return &storedListing{
		listing: listing.Listing{
			Files: []listing.Entry{{Name: "a.iso.zsync", URL: "http://h/a.iso.zsync"}, {Name: "ä b.zsync", URL: "http://h/%C3%A4%20b.zsync"}},
			Dirs:  []listing.Entry{{Name: "sub", URL: "http://h/sub/"}},
		},
		validators: zsyncclient.Validators{ETag: `"x"`, LastModified: "Mon", Length: -1},
		checked:    time.Unix(1_700_000_000, 5),
	}
}

func sampleHeader(t testing.TB) *header {
	doc := controlFile("a", 10_000)
	h := &header{raw: doc[:bytes.Index(doc, []byte("\n\n"))+2], final: "http://h/a.zsync", length: 10_000,
		validators: zsyncclient.Validators{ETag: `"x"`, Length: 7}}
	if _, err := h.parse(); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestEncode(t *testing.T) {
	l := sampleListing()
	got, err := decodeListing(encodeListing(l))
	if err != nil || !reflect.DeepEqual(got, l) {
		t.Errorf("got %+v, %v", got, err)
	}
	h := sampleHeader(t)
	when := time.Unix(5, 6)
	back, checked, err := decodeHeader(encodeHeader(h, when))
	if err != nil || !checked.Equal(when) || !reflect.DeepEqual(back, h) {
		t.Errorf("got %+v, %v, %v", back, checked, err)
	}
}

// TestEncodeYoung: that validators are young is kept, and unknown of version 1.
func TestEncodeYoung(t *testing.T) {
	h := sampleHeader(t)
	h.validators.Young = true
	back, _, err := decodeHeader(encodeHeader(h, time.Unix(5, 6)))
	if err != nil || !reflect.DeepEqual(back, h) {
		t.Errorf("got %+v, %v", back, err)
	}
	h.validators.Young = false
	b := encodeHeader(h, time.Unix(5, 6))
	at := 1 + len(appendValidators(nil, h.validators)) - 1
	old := append([]byte{1}, b[1:at]...)
	back, _, err = decodeHeader(seal(append(old, b[at+1:len(b)-4]...)))
	if err != nil || !reflect.DeepEqual(back, h) {
		t.Errorf("version 1: got %+v, %v", back, err)
	}
}

// TestEncodeFaults changes each byte, and cuts the encoding anywhere.
func TestEncodeFaults(t *testing.T) {
	l, h := encodeListing(sampleListing()), encodeHeader(sampleHeader(t), time.Unix(5, 6))
	for i := range l {
		b := bytes.Clone(l)
		b[i] ^= 0x41
		if _, err := decodeListing(b); err == nil {
			t.Errorf("listing: byte %d may change", i)
		}
		if _, err := decodeListing(l[:i]); err == nil {
			t.Errorf("listing: may end at byte %d", i)
		}
	}
	for i := range h {
		if _, _, err := decodeHeader(h[:i]); err == nil {
			t.Errorf("header: may end at byte %d", i)
		}
	}
	bad := sampleListing()
	bad.listing.Dirs[0].Name = "../x"
	if _, err := decodeListing(encodeListing(bad)); err == nil {
		t.Error("a name with a slash was let in")
	}
	bad = sampleListing()
	bad.listing.Dirs[0].URL = "file:///etc/"
	if _, err := decodeListing(encodeListing(bad)); err == nil {
		t.Error("a file URL was let in")
	}
}

func FuzzDecodeListing(f *testing.F) {
	b := encodeListing(sampleListing())
	f.Add(b[:len(b)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeListing(seal(b))
		if err != nil {
			return
		}
		for _, group := range [][]listing.Entry{s.listing.Files, s.listing.Dirs} {
			for _, e := range group {
				if u, err := url.Parse(e.URL); err != nil || u.Host == "" {
					t.Fatalf("URL %q", e.URL)
				}
			}
		}
		again, err := decodeListing(encodeListing(s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}

func FuzzDecodeHeader(f *testing.F) {
	b := encodeHeader(sampleHeader(f), time.Unix(5, 6))
	f.Add(b[:len(b)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, _, err := decodeHeader(seal(b))
		if err != nil {
			return
		}
		if _, err := h.control(&url.URL{}, nil); err != nil {
			t.Fatal(err)
		}
	})
}

// TestURLBytes: what shared bytes unfold to is bounded as listings are.
func TestURLBytes(t *testing.T) {
	e := listing.Entry{Name: "a.iso.zsync", URL: rootURL + "a.iso.zsync"}
	b := appendEntries(nil, &listing.Listing{Files: []listing.Entry{e}})
	for more, fits := range map[int]bool{0: true, 1: false} {
		d := &decoder{version: listingVersion, rest: b, urls: listing.MaxURLBytes - len(e.URL) + more}
		if got := d.entries(); d.bad == fits || len(got) == 1 != fits {
			t.Errorf("%d bytes too many: %+v, bad %v", more, got, d.bad)
		}
	}
}
