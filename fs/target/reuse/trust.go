package reuse

import (
	"math"
	"net/url"
	"strings"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

const (
	// leastBits is how many bits of a strong checksum that nobody can forge are
	// enough to take content of other origins.
	leastBits = 128
	// chanceBits is how unlikely a wrong match must be: one search in 2^40.
	chanceBits = 40
)

// trusts says whether content of v, which is the version of e, may be taken for
// this one.
func (f *Finder) trusts(e blockstore.Entry, v *blockstore.Version) bool {
	switch {
	case v.State() == blockstore.Suspect:
		return false
	case f.o.Share == ShareVerified && v.State() != blockstore.Verified:
		return false
	case f.sameOrigin(e.Place):
		return true
	}
	return unforgeable(f.h) && v.State() == blockstore.Verified
}

// unforgeable says whether no two blocks have the same record, whoever made them.
func unforgeable(h *format.Header) bool {
	return h.Strong == checksum.SHA224 && 8*h.StrongLength >= leastBits
}

// sameOrigin says whether place has the origin of this version's, and was read
// with the same credentials.
func (f *Finder) sameOrigin(place blockstore.Place) bool {
	u, err := url.Parse(string(f.o.Place))
	if err != nil || u.Host == "" {
		return false
	}
	other, err := url.Parse(string(place))
	return err == nil && other.Scheme == u.Scheme && origin(other) == origin(u) && other.User.String() == u.User.String()
}

// origin is host and port of u.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// trustedRun is how many blocks in a row must match to count.
func (f *Finder) trustedRun() int {
	if f.o.Store == nil {
		return 1
	}
	here := float64(f.o.Store.Stats().DataBytes)/float64(f.geo.BlockSize) + 1
	want := math.Log2(float64(f.geo.BlockCount())+1) + math.Log2(here) + chanceBits
	return max(int(math.Ceil(want/float64(8*f.h.StrongLength))), 1)
}
