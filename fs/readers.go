package fs

import (
	"cmp"
	"slices"
)

// Reader is a program that has an artifact open. Programs that got the open file from
// another one (a child, a shell's redirection) are not known.
type Reader struct {
	Path string // of the artifact, from the root
	URL  string // of its control file, without what may be secret
	PID  uint32 // of the thread that opened it, in the namespace of the daemon; 0: unknown
	Open int    // how often it has it open
}

// Readers are the programs that have files open, by path and number. Safe for concurrent
// use.
func (f *FS) Readers() []Reader {
	f.mu.Lock()
	out := make([]Reader, 0, len(f.handles))
	for r, n := range f.handles {
		out = append(out, Reader{Path: r.path, URL: r.url, PID: r.pid, Open: n})
	}
	f.mu.Unlock()
	slices.SortFunc(out, func(a, b Reader) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.PID, b.PID))
	})
	return out
}

// readerKey is who has what open.
type readerKey struct {
	path, url string
	pid       uint32
}

// came and went count the handles of a program.
func (f *FS) came(r readerKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handles[r]++
}

func (f *FS) went(r readerKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.handles[r]--; f.handles[r] <= 0 {
		delete(f.handles, r)
	}
}
