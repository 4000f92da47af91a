package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"strconv"
	"time"
)

// Bounds of what goes to the store. A value there is at most 1 MiB, so a large
// listing is cut into parts: the first value has the number of parts and the
// first part, the others follow under keys of their own. The checksum over the
// whole tells parts of two listings apart.
const (
	partLength      = 512 << 10
	maxParts        = 128
	maxStoredHeader = 1<<20 - 64<<10
)

// metaKey is the key of what is kept of the document at this URL, without what may be
// secret in it. A long one is replaced by its digest.
func (a *Archive) metaKey(kind, address string) string {
	key := address
	if u, err := url.Parse(address); err == nil {
		key = a.o.client.DocumentKey(u)
	}
	if len(key) > 1024 {
		sum := sha256.Sum256([]byte(key))
		key = "sha256:" + hex.EncodeToString(sum[:])
	}
	return kind + ":" + key
}

func (a *Archive) partKey(url string, part int) string {
	return a.metaKey("listing-part-"+strconv.Itoa(part), url)
}

// loadListing reads a directory's listing; nil when it is not there, or cannot
// be read. parts is the number of values that it takes up.
func (a *Archive) loadListing(url string) (s *storedListing, parts int) {
	first, err := a.o.Meta.MetaGet(a.metaKey("listing", url))
	if err != nil {
		return nil, 0
	}
	count, n := binary.Uvarint(first)
	if n <= 0 || count < 1 || count > maxParts {
		return nil, 0
	}
	whole := bytes.Clone(first[n:])
	for part := 1; part < int(count); part++ {
		b, err := a.o.Meta.MetaGet(a.partKey(url, part))
		if err != nil || len(b) > partLength {
			return nil, int(count)
		}
		whole = append(whole, b...)
	}
	s, err = decodeListing(whole)
	if err != nil {
		return nil, int(count)
	}
	return s, int(count)
}

// storeListing writes a directory's listing in place of one with had parts, and
// returns how many it has now. A store that fails is told and no more: the
// mount works without.
func (a *Archive) storeListing(url string, s *storedListing, had int) int {
	whole := encodeListing(s)
	count := max((len(whole)+partLength-1)/partLength, 1)
	if count > maxParts {
		return had
	}
	for part := 1; part < max(count, had); part++ {
		var err error
		if part < count {
			err = a.o.Meta.MetaPut(a.partKey(url, part), whole[part*partLength:min((part+1)*partLength, len(whole))])
		} else {
			err = a.o.Meta.MetaDelete(a.partKey(url, part))
		}
		a.storeFault(err)
	}
	first := binary.AppendUvarint(nil, uint64(count))
	first = append(first, whole[:min(partLength, len(whole))]...)
	a.storeFault(a.o.Meta.MetaPut(a.metaKey("listing", url), first))
	return count
}

// deleteListing deletes a directory's listing.
func (a *Archive) deleteListing(url string) {
	count := 1
	if first, err := a.o.Meta.MetaGet(a.metaKey("listing", url)); err == nil {
		if n, w := binary.Uvarint(first); w > 0 && n <= maxParts {
			count = int(n)
		}
	}
	a.storeFault(a.o.Meta.MetaDelete(a.metaKey("listing", url)))
	for part := 1; part < count; part++ {
		a.storeFault(a.o.Meta.MetaDelete(a.partKey(url, part)))
	}
}

// moveListing has what is stored for one URL stored for another.
func (a *Archive) moveListing(from, to string) {
	if s, parts := a.loadListing(from); s != nil {
		a.storeListing(to, s, parts)
		a.deleteListing(from)
	}
}

// deleteTree deletes a directory's listing, and all that is stored of what it names:
// also what an earlier run knew and this one never looked at.
func (a *Archive) deleteTree(url string) {
	s, _ := a.loadListing(url)
	a.deleteListing(url)
	if s == nil {
		return
	}
	for _, e := range s.listing.Files {
		a.deleteHeader(e.URL)
	}
	for _, e := range s.listing.Dirs {
		a.deleteTree(e.URL)
	}
}

// loadHeader reads a header; nil when it is not there, or cannot be read.
func (a *Archive) loadHeader(url string) (*header, time.Time) {
	b, err := a.o.Meta.MetaGet(a.metaKey("header", url))
	if err != nil {
		return nil, time.Time{}
	}
	h, checked, err := decodeHeader(b)
	if err != nil {
		return nil, time.Time{}
	}
	return h, checked
}

// storeHeader writes a header. One with a Z-Map2 that is too large for the
// store stays in memory only.
func (a *Archive) storeHeader(url string, h *header) {
	if b := encodeHeader(h, a.o.Now()); len(b) <= maxStoredHeader {
		a.storeFault(a.o.Meta.MetaPut(a.metaKey("header", url), b))
	}
}

// moveHeader has what is stored for one URL stored for another.
func (a *Archive) moveHeader(from, to string) {
	if b, err := a.o.Meta.MetaGet(a.metaKey("header", from)); err == nil {
		a.storeFault(a.o.Meta.MetaPut(a.metaKey("header", to), b))
		a.deleteHeader(from)
	}
}

func (a *Archive) deleteHeader(url string) {
	// Most files of a large directory have none, and looking is cheaper than deleting.
	if _, err := a.o.Meta.MetaGet(a.metaKey("header", url)); err == nil {
		a.storeFault(a.o.Meta.MetaDelete(a.metaKey("header", url)))
	}
}

func (a *Archive) storeFault(err error) {
	if err != nil {
		a.record("", err)
	}
}
