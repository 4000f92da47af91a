package archive

// The window of headers that are fetched ahead of a reader in order, in files.
const (
	firstWindow = 64
	maxWindow   = 512
	// orderSlack is how many entries a reader in order may leave out: it may
	// look at some only, or come from several threads.
	orderSlack = 4
)

// access is how a directory is looked at since its last listing.
type access struct {
	listed bool
	last   int // index of the entry whose header was asked for last; -1 none
	ahead  int // headers up to this index were asked for ahead
	window int
}

// listed notes that the directory was listed.
func (d *Dir) listed() {
	d.accessMu.Lock()
	defer d.accessMu.Unlock()
	d.access = access{listed: true, last: -1}
}

// inOrder notes that f's header is asked for, and says whether that follows the
// order of the entries; then headers ahead of f are on their way.
func (d *Dir) inOrder(f *File) bool {
	s := d.doc.peek()
	if s == nil {
		return false
	}
	i, ok := s.find(f.name)
	if !ok {
		return false
	}
	start, end, ordered := d.window(i, len(s.entries))
	for _, e := range s.entries[start:end] {
		if e.File != nil {
			e.File.prefetch()
		}
	}
	return ordered
}

// window is the entries to fetch ahead, now that entry i of count is asked for.
func (d *Dir) window(i, count int) (start, end int, ordered bool) {
	d.accessMu.Lock()
	defer d.accessMu.Unlock()
	x := &d.access
	if !x.listed {
		return 0, 0, false
	}
	last := x.last
	switch {
	case i == last:
		return 0, 0, x.window > 0
	case last < 0 && i == 0 && count > orderSlack:
		// "ls -l" begins so: a header will do, but nothing says yet that others follow.
		x.last = 0
		return 0, 0, true
	case last < 0 || i < last-orderSlack || i > last+1+orderSlack:
		// The first, or out of order: whatever window there was is over.
		x.last, x.window, x.ahead = i, 0, 0
		return 0, 0, false
	}
	x.last = max(last, i)
	if x.window > 0 && x.ahead-i > x.window/2 {
		return 0, 0, true
	}
	x.window = min(max(2*x.window, firstWindow), maxWindow)
	start = min(max(x.ahead, i+1), count)
	end = min(i+1+x.window, count)
	x.ahead = max(end, x.ahead)
	return start, max(start, end), true
}

// prefetch fetches f's header in the background, if it is not fresh.
func (f *File) prefetch() {
	a := f.dir.a
	if f.doc.settled(a) || a.isDown() {
		return
	}
	a.start(func() {
		select {
		case a.ahead <- struct{}{}:
			defer func() { <-a.ahead }()
		case <-a.ctx.Done():
			return
		}
		if a.isDown() { // which may have become known while it waited for the slot
			return
		}
		// A stale copy must not end the wait early: the slot is for the flight.
		f.doc.await(a.ctx, a, f.handler(listPrefix))
	})
}
