package archive

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/url"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// The encodings in the store: one byte of version, fields, and a CRC-32C of all
// before it. A number is a varint, a text its length and its bytes. Names and
// URLs of a listing are written as the number of bytes shared with the one
// before and the rest. Version 1 did not say whether validators are young.
const (
	listingVersion = 2
	headerVersion  = 2
)

var errEncoding = errors.New("not a known encoding")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type storedListing struct {
	listing    listing.Listing
	validators zsyncclient.Validators
	checked    time.Time
}

func encodeListing(s *storedListing) []byte {
	b := []byte{listingVersion}
	b = appendValidators(b, s.validators)
	b = binary.AppendVarint(b, s.checked.UnixNano())
	b = appendEntries(b, &s.listing)
	return seal(b)
}

func decodeListing(b []byte) (*storedListing, error) {
	d, err := unseal(b, listingVersion)
	if err != nil {
		return nil, err
	}
	s := &storedListing{validators: d.validators(), checked: time.Unix(0, d.varint())}
	s.listing.Files, s.listing.Dirs = d.entries(), d.entries()
	if !d.done() || len(s.listing.Files)+len(s.listing.Dirs) > listing.MaxEntries {
		return nil, errEncoding
	}
	return s, nil
}

func encodeHeader(h *header, checked time.Time) []byte {
	b := []byte{headerVersion}
	b = appendValidators(b, h.validators)
	b = binary.AppendVarint(b, checked.UnixNano())
	b = appendText(b, h.final)
	b = appendText(b, string(h.raw))
	return seal(b)
}

func decodeHeader(b []byte) (*header, time.Time, error) {
	d, err := unseal(b, headerVersion)
	if err != nil {
		return nil, time.Time{}, err
	}
	h := &header{validators: d.validators()}
	checked := time.Unix(0, d.varint())
	h.final, h.raw = d.text(), []byte(d.text())
	if !d.done() {
		return nil, time.Time{}, errEncoding
	}
	if _, err := url.Parse(h.final); err != nil {
		return nil, time.Time{}, err
	}
	parsed, err := h.parse()
	if err != nil {
		return nil, time.Time{}, err
	}
	h.length = parsed.Length
	return h, checked, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValidators(b []byte, v zsyncclient.Validators) []byte {
	b = appendText(b, v.ETag)
	b = appendText(b, v.LastModified)
	b = binary.AppendVarint(b, v.Length)
	if v.Young {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendEntries writes what a listing holds, files and then directories.
func appendEntries(b []byte, l *listing.Listing) []byte {
	for _, group := range [][]listing.Entry{l.Files, l.Dirs} {
		b = binary.AppendUvarint(b, uint64(len(group)))
		var last listing.Entry
		for _, e := range group {
			b = appendAfter(b, last.Name, e.Name)
			b = appendAfter(b, last.URL, e.URL)
			last = e
		}
	}
	return b
}

func appendAfter(b []byte, last, s string) []byte {
	n := 0
	for n < min(len(last), len(s)) && last[n] == s[n] {
		n++
	}
	return appendText(binary.AppendUvarint(b, uint64(n)), s[n:])
}

func seal(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func unseal(b []byte, version byte) (*decoder, error) {
	if len(b) < 5 || b[0] < 1 || b[0] > version {
		return nil, errEncoding
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, errEncoding
	}
	return &decoder{version: b[0], rest: body[1:]}, nil
}

// decoder reads fields; after a fault it is bad and gives zeros.
type decoder struct {
	version byte
	rest    []byte
	bad     bool
	urls    int // bytes of the entries' URLs
}

func (d *decoder) done() bool { return !d.bad && len(d.rest) == 0 }

func (d *decoder) fail() {
	d.bad, d.rest = true, nil
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) after(last string) string {
	n := d.uvarint()
	if n > uint64(len(last)) {
		d.fail()
		return ""
	}
	return last[:n] + d.text()
}

func (d *decoder) validators() zsyncclient.Validators {
	v := zsyncclient.Validators{ETag: d.text(), LastModified: d.text(), Length: d.varint()}
	if d.version >= 2 {
		v.Young = d.uvarint() != 0
	}
	return v
}

// entries reads one group. An entry takes at least 4 bytes, so the count is
// bounded by what is left before memory is taken; the text that shared bytes
// unfold to is bounded by the lengths that listings have.
func (d *decoder) entries() []listing.Entry {
	count := d.uvarint()
	if count > listing.MaxEntries || count > uint64(len(d.rest)/4) {
		d.fail()
		return nil
	}
	out := make([]listing.Entry, 0, count)
	var last listing.Entry
	for range count {
		e := listing.Entry{Name: d.after(last.Name), URL: d.after(last.URL)}
		d.urls += len(e.URL)
		if d.bad || len(e.URL) > listing.MaxURLLength || d.urls > listing.MaxURLBytes || !validEntry(e) {
			d.fail()
			return nil
		}
		out = append(out, e)
		last = e
	}
	return out
}

func validEntry(e listing.Entry) bool {
	u, err := url.Parse(e.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return false
	}
	_, ok := listing.SafeName(strings.TrimSuffix(e.Name, listing.Suffix))
	return ok && len(e.Name) <= listing.MaxNameLength+len(listing.Suffix)
}
