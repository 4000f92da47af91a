package target

import (
	"context"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
)

const (
	// windowFirst is the length of the first readahead window, in bytes.
	windowFirst = 256 << 10
	// windowLeast is that of windows on the slowest lines, in bytes: what the kernel
	// asks for at once, and enough for the client to go on measuring the rate.
	windowLeast = 128 << 10
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
	mark   int64 // guarded by mu: more is scheduled when a read comes to here
}

// NewReader is a reader at the start of the target.
func (t *Target) NewReader() *Reader { return &Reader{target: t, window: windowFirst, next: -1} }

// ReadAt is Target.ReadAt with readahead.
func (r *Reader) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if n, done, err := r.ReadLocal(p, off); done {
		return n, err
	}
	return r.ReadRemote(ctx, p, off)
}

// ReadLocal is ReadAt as far as it needs no waiting: done is false when blocks
// must be fetched (those ahead are on their way then), and ReadRemote must
// follow. So a caller makes a context only for reads that wait.
func (r *Reader) ReadLocal(p []byte, off int64) (n int, done bool, err error) {
	read := format.Range{Start: off, End: off + int64(len(p))}
	if ahead := r.plan(read); ahead.Length() > 0 {
		r.target.fetchAhead(read, ahead)
	}
	return r.target.readLocal(p, off)
}

// ReadRemote is the rest of ReadAt, after ReadLocal was not done.
func (r *Reader) ReadRemote(ctx context.Context, p []byte, off int64) (int, error) {
	return r.target.readAt(ctx, p, off, r.isBulk())
}

// isBulk says whether the last read went on where the one before it ended.
func (r *Reader) isBulk() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.streak > 0
}

// plan notes the read and returns what to fetch ahead because of it.
func (r *Reader) plan(read format.Range) (ahead format.Range) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.adjacent(read.Start) {
		r.streak, r.window = 0, windowFirst
		r.next, r.ahead, r.mark = read.End, read.End, read.End
		return format.Range{}
	}
	r.streak++
	r.next = max(r.next, read.End)
	r.ahead = max(r.ahead, r.next)
	t := r.target
	most := t.windowMax()
	r.window = min(r.window, most)
	if read.End < r.mark || r.ahead >= t.geometry.Length || !t.mayFetchAhead() {
		return format.Range{}
	}
	ahead = format.Range{Start: r.ahead}
	r.mark, ahead.End = t.missingAhead(r.ahead, r.window)
	r.ahead = ahead.End
	r.window = min(2*r.window, most)
	return ahead
}

// missingAhead is where the first missing block is from byte off on, and where
// about length bytes of missing blocks are behind; the target's end when there are
// not so many.
func (t *Target) missingAhead(off, length int64) (first, end int64) {
	first = -1
	all := t.geometry.All().End
	b := t.geometry.Block(off + t.geometry.BlockSize - 1)
	for b < all && length > 0 {
		run, missing := t.version.Known(b, all)
		b += format.BlockID(run)
		if missing > 0 {
			if first < 0 {
				first = t.geometry.Offset(b)
			}
			most := max(length/t.geometry.BlockSize, 1)
			b += format.BlockID(min(missing, most))
			length -= min(missing, most) * t.geometry.BlockSize
		}
	}
	end = min(t.geometry.Offset(b), t.geometry.Length)
	if first < 0 {
		first = end
	}
	return first, end
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
	return max(windowLeast, min(limit, int64(rate)))
}

// mayFetchAhead says whether what nobody waits for yet is fetched: not while most of
// it may be found here.
func (t *Target) mayFetchAhead() bool {
	if t.options.Fill == FillOff || t.usable() != nil || t.wantsWhole() || t.mayBeFound() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.roomless // what nobody waits for would be lost
}

// fetchAhead starts fetching what is missing of ahead. The read that is about
// to wait comes first, so that its blocks are asked for before those ahead.
func (t *Target) fetchAhead(read, ahead format.Range) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if read.End >= ahead.Start {
		ahead.Start = read.Start // one request for both
	} else {
		t.schedule([]format.BlockRange{t.geometry.Covering(read)}, true)
	}
	t.schedule([]format.BlockRange{t.geometry.Covering(ahead)}, true)
}
