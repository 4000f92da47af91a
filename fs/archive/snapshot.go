package archive

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// snapshot is one state of a directory. Only the flight that made it changes
// its validators; all else is fixed.
type snapshot struct {
	entries    []Entry  // sorted by Name, unique
	sum        [32]byte // of the listing's names and URLs
	validators zsyncclient.Validators
}

func (s *snapshot) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s.entries, name, func(e Entry, name string) int {
		return strings.Compare(e.Name, name)
	})
}

// forget is called when the directory is gone.
func (s *snapshot) forget() {
	for i := range s.entries {
		s.entries[i].forget()
	}
}

// build makes the snapshot of a listing. Directories and files that old has
// under the same name stay the same objects. Where a directory and a control
// file claim one name, the file has it.
func (d *Dir) build(old *snapshot, l *listing.Listing, validators zsyncclient.Validators) *snapshot {
	s := &snapshot{
		entries:    make([]Entry, 0, len(l.Files)+len(l.Dirs)),
		sum:        sha256.Sum256(appendEntries(nil, l)),
		validators: validators,
	}
	for _, e := range l.Files {
		name, ok := strings.CutSuffix(e.Name, listing.Suffix)
		if name, safe := listing.SafeName(name); ok && safe {
			s.entries = append(s.entries, Entry{Name: name, File: d.file(old, name, e.URL)})
		}
	}
	for _, e := range l.Dirs {
		if name, safe := listing.SafeName(e.Name); safe {
			s.entries = append(s.entries, Entry{Name: name, Dir: d.dir(old, name, e.URL)})
		}
	}
	slices.SortStableFunc(s.entries, func(x, y Entry) int { return strings.Compare(x.Name, y.Name) })
	s.entries = slices.CompactFunc(s.entries, func(x, y Entry) bool {
		if x.Name != y.Name {
			return false
		}
		if (x.Dir == nil) != (y.Dir == nil) {
			d.conflict(x.Name)
		}
		return true
	})
	return s
}

// conflict warns of a directory that a file hides, once for each name.
func (d *Dir) conflict(name string) {
	if d.hidden[name] || len(d.hidden) >= maxFaults {
		return
	}
	if d.hidden == nil {
		d.hidden = map[string]bool{}
	}
	d.hidden[name] = true
	path := join(d.path, name)
	d.a.warn(path, fmt.Errorf("%q is a directory as well as the name for %q: the file is shown", path, name+listing.Suffix))
}

func (d *Dir) file(old *snapshot, name, url string) *File {
	if old != nil {
		if i, ok := old.find(name); ok && old.entries[i].File != nil {
			f := old.entries[i].File
			f.moveTo(url)
			return f
		}
	}
	return newFile(d, name, url)
}

func (d *Dir) dir(old *snapshot, name, url string) *Dir {
	if old != nil {
		if i, ok := old.find(name); ok && old.entries[i].Dir != nil {
			sub := old.entries[i].Dir
			sub.moveTo(url)
			return sub
		}
	}
	return newDir(d.a, join(d.path, name), url)
}

// compare calls differ for each entry that only one of old and s has; for a
// name that changed its object it is called once, with both.
func compare(old, s *snapshot, differ func(gone, came *Entry)) {
	i, j := 0, 0
	for i < len(old.entries) || j < len(s.entries) {
		switch {
		case j == len(s.entries) || i < len(old.entries) && old.entries[i].Name < s.entries[j].Name:
			differ(&old.entries[i], nil)
			i++
		case i == len(old.entries) || old.entries[i].Name > s.entries[j].Name:
			differ(nil, &s.entries[j])
			j++
		default:
			if old.entries[i] != s.entries[j] {
				differ(&old.entries[i], &s.entries[j])
			}
			i++
			j++
		}
	}
}
