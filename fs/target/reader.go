package target

import (
	"cmp"
	"context"
	"slices"
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
)

// Reader reads a target on behalf of one open handle and fetches ahead of it where
// its reads can be foreseen. Safe for concurrent use.
type Reader struct {
	target *Target

	mu      sync.Mutex
	pattern pattern // guarded by mu
	window  int64   // guarded by mu: length of the next window
	ahead   int64   // guarded by mu: end of what was scheduled
	mark    int64   // guarded by mu: more is scheduled when a read comes to here
	strides int     // guarded by mu: how many are kept ahead
	further int     // guarded by mu: how many were scheduled from this burst on
}

// NewReader is a reader at the start of the target.
func (t *Target) NewReader() *Reader { return &Reader{target: t, window: windowFirst} }

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
	if ahead := r.plan(read); len(ahead) > 0 {
		r.target.fetchAhead(read, ahead)
	}
	return r.target.readLocal(p, off)
}

// ReadRemote is the rest of ReadAt, after ReadLocal was not done.
func (r *Reader) ReadRemote(ctx context.Context, p []byte, off int64) (int, error) {
	return r.target.readAt(ctx, p, off, r.isBulk())
}

// isBulk says whether the last read was one of many that can be foreseen.
func (r *Reader) isBulk() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pattern.bulk()
}

// plan notes the read and returns the blocks to fetch ahead because of it: runs in
// ascending order, disjoint.
func (r *Reader) plan(read format.Range) []format.BlockRange {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pattern.note(read) {
		r.window, r.ahead, r.mark = windowFirst, read.End, read.End
		return r.planStrides()
	}
	if r.byStrides() {
		return nil // what comes next was planned when the burst began
	}
	return r.planWindow(read)
}

// byStrides says whether what lies strides further on is fetched ahead. Bursts that are
// longer than a window are read by windows: who jumps into one would wait for all that
// is before it. r.mu is held.
func (r *Reader) byStrides() bool {
	p := &r.pattern
	return p.strided() && p.further(0).Length() <= max(r.target.windowMax(), windowFirst)
}

// planWindow is the next window of a reader that goes forward, when that is due. r.mu
// is held.
func (r *Reader) planWindow(read format.Range) []format.BlockRange {
	t := r.target
	r.ahead = max(r.ahead, r.pattern.burst.End)
	most := t.windowMax()
	r.window = min(r.window, most)
	if read.End < r.mark || r.ahead >= t.geometry.Length || !t.mayFetchAhead() {
		return nil
	}
	window := format.Range{Start: r.ahead}
	r.mark, window.End = t.missingAhead(r.ahead, r.window)
	r.ahead = window.End
	r.window = min(2*r.window, most)
	return []format.BlockRange{t.geometry.Covering(window)}
}

// planStrides are the blocks of the next bursts of a strided reader, when half of
// those that were planned before have been read. r.mu is held.
func (r *Reader) planStrides() []format.BlockRange {
	t, p := r.target, &r.pattern
	if !r.byStrides() {
		r.strides, r.further = 0, 0
		return nil
	}
	r.further = max(r.further-1, 0)
	if r.further > r.strides/2 || !t.mayFetchAhead() {
		return nil
	}
	// Bursts come in the order of the file, so those of a reader that goes backwards
	// wait for each other: less of them at once.
	most := max(t.windowMax()/4, windowFirst) / max(p.further(0).Length(), 1)
	r.strides = int(max(min(int64(max(2*r.strides, stridesFirst)), most, stridesLimit), 1))
	var runs []format.BlockRange
	for i := r.further + 1; i <= r.strides; i++ {
		burst := p.further(i)
		burst.Start, burst.End = max(burst.Start, 0), min(burst.End, t.geometry.Length)
		if burst.Length() <= 0 {
			break
		}
		runs = append(runs, t.geometry.Covering(burst))
	}
	r.further = max(r.further, r.strides)
	return joined(runs)
}

// joined are the blocks of runs, in ascending order and disjoint.
func joined(runs []format.BlockRange) (out []format.BlockRange) {
	slices.SortFunc(runs, func(a, b format.BlockRange) int { return cmp.Compare(a.Start, b.Start) })
	for _, r := range runs {
		if n := len(out); n > 0 && r.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, r.End)
		} else {
			out = append(out, r)
		}
	}
	return out
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
	return t.noRoom == nil // what nobody waits for would be lost
}

// fetchAhead starts fetching what is missing of ahead. The read that is about to wait
// comes first, so that its blocks are asked for before those ahead.
func (t *Target) fetchAhead(read format.Range, ahead []format.BlockRange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.geometry.Covering(read)
	if own.Start <= ahead[0].Start && own.End >= ahead[0].Start {
		ahead[0].Start = own.Start // one request for both
	} else {
		t.schedule([]format.BlockRange{own}, true)
	}
	t.schedule(ahead, true)
}
