package whole

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/zsyncfs/zsyncfs/blockstore"
)

const (
	// leastLikeness of two names, in [0, 1], for their files to be worth a scan.
	// Of names that differ in a date or a version number, more is the same.
	leastLikeness = 0.5
	// sameFolder is what lying in the same directory adds to the likeness.
	sameFolder = 0.25
)

// relatives are those of entries, at most limit, that may share content with the
// control file at u, the likeliest first. They are of the same origin: what one
// server says of a block, by a checksum that is cut short, must not decide what
// is read of another's file.
func relatives(u *url.URL, own blockstore.Key, entries []blockstore.Entry, limit int) []blockstore.Entry {
	if u == nil {
		return nil
	}
	type candidate struct {
		blockstore.Entry
		likeness float64
	}
	var all []candidate
	dir, name := path.Split(u.Path)
	for _, e := range entries {
		other, err := url.Parse(string(e.Place))
		if err != nil || e.Key == own || other.Scheme != u.Scheme || origin(other) != origin(u) {
			continue
		}
		otherDir, otherName := path.Split(other.Path)
		alike := likeness(name, otherName)
		if alike < leastLikeness {
			continue
		}
		if dir == otherDir {
			alike += sameFolder
		}
		all = append(all, candidate{e, alike})
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.likeness, a.likeness), b.Used.Compare(a.Used), strings.Compare(string(a.Place), string(b.Place)))
	})
	var out []blockstore.Entry
	for _, c := range all[:min(len(all), limit)] {
		out = append(out, c.Entry)
	}
	return out
}

// origin is host and port of u.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// likeness is how much of two control files' names is the same: what they begin
// and end with, as a share of the longer one, without ".zsync".
func likeness(a, b string) float64 {
	a, b = strings.TrimSuffix(a, ".zsync"), strings.TrimSuffix(b, ".zsync")
	long, short := max(len(a), len(b)), min(len(a), len(b))
	if long == 0 {
		return 0
	}
	head := 0
	for head < short && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < short-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return float64(head+tail) / float64(long)
}
