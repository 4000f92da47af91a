package reuse

import (
	"cmp"
	"context"
	"net/url"
	"os"
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

// candidates are the versions that may share content, at most Options.Relatives,
// the likeliest first: those whose names are alike, then those whose sketches are.
// sketchAlike says of which the sketches are.
func (f *Finder) candidates() (out []blockstore.Entry, sketchAlike map[blockstore.Key]bool, err error) {
	if f.o.Relatives <= 0 {
		return nil, nil, nil
	}
	entries, err := f.o.Store.Entries()
	if err != nil {
		return nil, nil, err
	}
	entries = f.allowed(entries)
	out = alike(f.o.Place, entries)
	sketchAlike = map[blockstore.Key]bool{}
	for _, e := range f.sketched(entries) {
		sketchAlike[e.Key] = true
		if !slices.ContainsFunc(out, func(o blockstore.Entry) bool { return o.Key == e.Key }) {
			out = append(out, e)
		}
	}
	return out[:min(len(out), f.o.Relatives)], sketchAlike, nil
}

// allowed are those of entries whose content may be taken.
func (f *Finder) allowed(entries []blockstore.Entry) []blockstore.Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e blockstore.Entry) bool {
		return e.Key == f.key || e.State == blockstore.Suspect || !f.sameOrigin(e.Place) && !unforgeable(f.h)
	})
}

// Expected is how many bytes a search is likely to look at, as far as that is known
// without records: of seeds, and of versions whose names are alike. 0: there is
// nothing to look at, or ctx has ended. Folders of seeds may take long.
func (f *Finder) Expected(ctx context.Context) (n int64) {
	for _, s := range f.o.Seeds {
		files, _ := f.files(ctx, s)
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				n += max(info.Size(), 1)
			}
		}
	}
	if f.o.Relatives <= 0 {
		return n
	}
	entries, err := f.o.Store.Entries()
	if err != nil {
		return n
	}
	all := alike(f.o.Place, f.allowed(entries))
	for _, e := range all[:min(len(all), f.o.Relatives)] {
		n += e.Bytes
	}
	return n
}

// alike are those of entries whose names are like that of the control file at place,
// the likeliest first, and of equal ones those that were used last.
func alike(place blockstore.Place, entries []blockstore.Entry) (out []blockstore.Entry) {
	u, err := url.Parse(string(place))
	if err != nil || u.Host == "" {
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
		if err != nil {
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
	for _, c := range all {
		out = append(out, c.Entry)
	}
	return out
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
