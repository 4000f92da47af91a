package target

import (
	"context"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
)

const (
	// windowFirst is the length of the first readahead window, in bytes.
	windowFirst = 256 << 10
	// windowLimit bounds windows unless two round trips' worth of the line is more.
	windowLimit = 8 << 20
	// adjacentSlack is how far from the expected offset a read of a sequential
	// reader may start: the kernel sends its readahead side by side, so reads
	// arrive out of order.
	adjacentSlack = 1 << 20
)

// Reader reads a target on behalf of one open handle and fetches ahead of it
// when its reads are adjacent. Safe for concurrent use.
type Reader struct {
	target *Target

	mu     sync.Mutex
	next   int64 // guarded by mu: where an adjacent read starts
	streak int   // guarded by mu: adjacent reads so far
	window int64 // guarded by mu: length of the next window
	ahead  int64 // guarded by mu: end of what was scheduled
}

// NewReader is a reader at the start of the target.
func (t *Target) NewReader() *Reader { return &Reader{target: t, window: windowFirst, next: -1} }

// ReadAt is Target.ReadAt with readahead.
func (r *Reader) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if n, done, err := r.ReadLocal(p, off); done {
		return n, err
	}
	return r.target.ReadAt(ctx, p, off)
}

// ReadLocal is ReadAt as far as it needs no waiting: done is false when blocks
// must be fetched (those ahead are on their way then), and Target.ReadAt must
// follow. So a caller makes a context only for reads that wait.
func (r *Reader) ReadLocal(p []byte, off int64) (n int, done bool, err error) {
	read := format.Range{Start: off, End: off + int64(len(p))}
	if ahead := r.plan(read); ahead.Length() > 0 {
		r.target.fetchAhead(read, ahead)
	}
	return r.target.readLocal(p, off)
}

// plan notes the read and returns what to fetch ahead because of it.
func (r *Reader) plan(read format.Range) (ahead format.Range) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.adjacent(read.Start) {
		r.streak, r.window = 0, windowFirst
		r.next, r.ahead = read.End, read.End
		return format.Range{}
	}
	r.streak++
	r.next = max(r.next, read.End)
	r.ahead = max(r.ahead, r.next)
	if r.ahead-read.End >= r.window || r.ahead >= r.target.geometry.Length {
		return format.Range{}
	}
	ahead = format.Range{Start: r.ahead, End: min(r.ahead+r.window, r.target.geometry.Length)}
	r.ahead = ahead.End
	r.window = min(2*r.window, r.target.windowMax())
	return ahead
}

// adjacent says whether a read at off goes on where the reader was.
func (r *Reader) adjacent(off int64) bool {
	if r.streak == 0 {
		return off == r.next
	}
	return off >= r.next-adjacentSlack && off <= r.next+adjacentSlack
}

// windowMax is the longest window that pays on the line as it was measured.
func (t *Target) windowMax() int64 {
	rate, roundTrip := t.source.Rate()
	if rate <= 0 {
		return windowLimit
	}
	limit := max(windowLimit, int64(2*rate*roundTrip.Seconds()))
	return max(windowFirst, min(limit, int64(rate)))
}

// fetchAhead starts fetching what is missing of ahead. The read that is about
// to wait comes first, so that its blocks are asked for before those ahead.
func (t *Target) fetchAhead(read, ahead format.Range) {
	if t.usable() != nil || t.wantsWhole() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.roomless {
		return // what nobody waits for would be lost
	}
	if read.End >= ahead.Start {
		ahead.Start = read.Start // one request for both
	} else {
		t.schedule(t.geometry.Covering(read))
	}
	t.schedule(t.geometry.Covering(ahead))
}
