package blockstore

import "github.com/zsyncfs/zsyncfs/format"

// claimed is bytes of a data file that are being changed.
type claimed struct {
	file *dataFile
	r    format.Range
}

// claim takes bytes r of a data file away from those who refer to them: they are going
// to be other bytes. Nobody begins to refer to them until done is called. All who watch the
// file learn of it, but for except, which may be nil.
func (s *Store) claim(file *dataFile, r format.Range, except *watch) (done func()) {
	c := &claimed{file, r}
	s.mu.Lock()
	s.claims[c] = struct{}{}
	for w := range s.watches {
		if w.file == file && w != except {
			w.add(r)
		}
	}
	s.mu.Unlock()
	file.dropUsers(r)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.claims, c)
	}
}

// claimChanging is claim of those of bytes data, which are about to be written at off of
// the file, that are others there now: who refers to the rest need not know.
func (s *Store) claimChanging(file *dataFile, data []byte, off int64, except *watch) (done func()) {
	var claims []func()
	for _, r := range file.changing(data, off) {
		claims = append(claims, s.claim(file, r, except))
	}
	return func() {
		for _, done := range claims {
			done()
		}
	}
}

// isClaimed says whether some of bytes r of a data file is being changed.
func (s *Store) isClaimed(file *dataFile, r format.Range) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.claims {
		if c.file == file && overlap(c.r, r) {
			return true
		}
	}
	return false
}

// watch tells which bytes of a data file may be others than when it began. Who reads
// bytes, and much later has somebody refer to them, watches them from before the read, and
// asks with the lock held under which he makes the reference: a change that comes after
// that finds it, and drops it.
type watch struct {
	store *Store
	file  *dataFile
	// changed is guarded by Store.mu.
	changed []format.Range
}

// mostChanges bounds what a watch remembers.
const mostChanges = 1 << 12

// watch begins to watch file; end must follow.
func (s *Store) watch(file *dataFile) *watch {
	w := &watch{store: s, file: file}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.claims {
		if c.file == file {
			w.add(c.r)
		}
	}
	s.watches[w] = struct{}{}
	return w
}

// end ends the watch.
func (w *watch) end() {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	delete(w.store.watches, w)
}

// add needs Store.mu.
func (w *watch) add(r format.Range) {
	if len(w.changed) == mostChanges { // more are told of than changed
		for _, c := range w.changed {
			r = format.Range{Start: min(r.Start, c.Start), End: max(r.End, c.End)}
		}
		w.changed = w.changed[:0]
	}
	w.changed = append(w.changed, r)
}

// has says whether some of bytes r may have changed.
func (w *watch) has(r format.Range) bool {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	for _, c := range w.changed {
		if overlap(c, r) {
			return true
		}
	}
	return false
}

// overlap says whether a and b have bytes in common.
func overlap(a, b format.Range) bool { return max(a.Start, b.Start) < min(a.End, b.End) }
