package archive

import (
	"slices"
	"time"
)

// Stats is a snapshot of what is known of an archive.
type Stats struct {
	// Entries are the files and directories of all listings that were read;
	// Directories those of them that are directories.
	Entries, Directories int
	// Known are the files whose header was read, Bytes the length of their
	// targets together.
	Known int
	Bytes int64
	// Faults are the last failures, at most 100, the newest last.
	Faults []Fault
}

// Fault is a failure that Warn was told of, or that a caller got.
type Fault struct {
	// Path is the directory or file from the root; "" is the root.
	Path string
	// Err is the error's text.
	Err string
	// Time is when it last happened, Count how often in a row.
	Time  time.Time
	Count int
}

const maxFaults = 100

type counts struct {
	entries, dirs, known int
	bytes                int64
}

// Stats is a snapshot.
func (a *Archive) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.counts
	return Stats{Entries: c.entries, Directories: c.dirs, Known: c.known, Bytes: c.bytes, Faults: slices.Clone(a.faults)}
}

// countListing counts s in place of old as d's listing; each may be nil. A nil s
// means that d is gone, and nothing of it is counted after that.
func (a *Archive) countListing(d *Dir, old, s *snapshot) {
	entries, dirs := s.count()
	oldEntries, oldDirs := old.count()
	a.mu.Lock()
	defer a.mu.Unlock()
	if d.gone.Load() {
		return
	}
	d.gone.Store(s == nil)
	a.counts.entries += entries - oldEntries
	a.counts.dirs += dirs - oldDirs
}

func (s *snapshot) count() (entries, dirs int) {
	if s == nil {
		return 0, 0
	}
	for i := range s.entries {
		if s.entries[i].Dir != nil {
			dirs++
		}
	}
	return len(s.entries), dirs
}

func (a *Archive) countFile(f *File, length int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.gone.Load() {
		return
	}
	if !f.counted {
		a.counts.known++
	}
	a.counts.bytes += length - f.length
	f.counted, f.length = true, length
}

func (a *Archive) uncountFile(f *File) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.counted {
		a.counts.known--
		a.counts.bytes -= f.length
	}
	f.counted, f.length = false, 0
}

// warn records a fault and tells Warn.
func (a *Archive) warn(path string, err error) {
	a.record(path, err)
	a.o.Warn(err)
}

// record keeps a fault for Stats; one that comes again for the same path
// replaces the last.
func (a *Archive) record(path string, err error) {
	f := Fault{Path: path, Err: err.Error(), Time: a.o.Now(), Count: 1}
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.faults, func(o Fault) bool { return o.Path == f.Path && o.Err == f.Err })
	if i >= 0 {
		f.Count += a.faults[i].Count
		a.faults = slices.Delete(a.faults, i, i+1)
	}
	if len(a.faults) >= maxFaults {
		a.faults = slices.Delete(a.faults, 0, 1)
	}
	a.faults = append(a.faults, f)
}
