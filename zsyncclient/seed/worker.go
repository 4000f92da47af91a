package seed

import (
	"context"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// worker scans windows of a seed. It belongs to one goroutine.
type worker struct {
	s *scan
	// thorough: no offset is jumped over.
	thorough bool
	block    int
	distance int // of the second block of a pair; 0 without
	batch    int // offsets that are summed at once
	ring     bool

	buf   []byte // the window
	limit int    // runs end where they pass this offset
	// sums are the rsums from an offset on; in a ring, from carried on the first
	// distance of them are those at the end of the batch before.
	sums, second []uint32
	carried      int
	last         int // offsets in the batch before
	hits         []uint32
	scratch      []uint32 // of the filter
	digests      []byte
	rsums        []byte
	jumped       []span // within the window
	base         int64  // where the window begins in the seed
	going        going
	budget       budget
	barren       [64]uint64 // keys of which no block is missing, by hash
	fruitless    [64]uint64 // hashes of rsums in a row that no missing blocks have
	starts       []uint32   // blocks where runs were found
	pending      pending
	counts       counts
}

const (
	// minBatch and maxBatch bound how many offsets are summed before they are
	// looked up: the sums stay in the second cache, but the first sum of a batch
	// costs a whole block.
	minBatch, maxBatch = 32 << 10, 1 << 20
	// maxRing is up to which block size the sums of a batch are kept for the second
	// blocks of the pairs of the next; larger ones are summed twice.
	maxRing = 64 << 10
)

func (s *scan) newWorker(thorough bool) *worker {
	block := int(s.x.geometry.BlockSize)
	w := &worker{s: s, thorough: thorough, block: block, distance: (s.seq - 1) * block}
	w.ring, w.batch = s.ring(), s.batch()
	sums := w.batch
	if w.ring {
		sums += w.distance
	} else if w.distance > 0 {
		w.second = make([]uint32, w.batch)
	}
	w.sums, w.hits = make([]uint32, sums), make([]uint32, w.batch)
	if s.filter.halves {
		w.scratch = make([]uint32, w.distance)
	}
	w.budget.credit = int64(64*block) + 1<<20 + s.o.credit
	w.budget.rate = min(max(earned, 1.5*s.expectedCost()), mostEarned)
	return w
}

// ring says whether a worker has a ring of sums.
func (s *scan) ring() bool { return s.seq > 1 && s.x.geometry.BlockSize <= maxRing }

// batch is how many offsets a worker sums at once. In pairs that is two windows of
// the filter at least. Its buffers take up to 12 bytes for each.
func (s *scan) batch() int {
	block := int(s.x.geometry.BlockSize)
	if s.ring() {
		return max(minBatch, 2*block)
	}
	return min(max(minBatch, block/2), maxBatch)
}

// takeJumped is what was jumped over in part.
func (w *worker) takeJumped(part span) []span {
	out := make([]span, 0, len(w.jumped))
	for _, j := range w.jumped {
		out = append(out, span{part.start + j.start, part.start + j.end})
	}
	w.jumped = w.jumped[:0]
	return out
}

// ended says whether there is nothing more to do.
func (w *worker) ended(ctx context.Context) bool {
	return w.s.stop.Load() || w.s.missing.Count() == 0 || ctx.Err() != nil
}

// going is where a run went on when its window ended: block id is expected at
// offset at of the seed. A worker that is given the next slice takes it up there; one
// that is given an earlier slice does not.
// Slices hold only a few of the largest blocks; to find the run anew in each would
// cost more than all else, where data are periodic.
type going struct {
	at int64
	// from is where the window ended: from there on up to at all is the run's.
	from int64
	id   int // 0: none, for a run has a block before it
	// sure: that block matched by its strong checksum.
	sure bool
}

// goOn follows the run that went on at the end of the window before, and returns
// from which of the n offsets on it does not reach; 0 when there was none.
func (w *worker) goOn(n int) (int, error) {
	g := w.going
	start := g.at - w.base
	if g.id == 0 || w.thorough || start < 0 || w.base < g.from {
		return 0, nil
	}
	if start >= int64(n) {
		w.jump(0, n) // the last blocks of the run are longer than that
		return n, nil
	}
	w.going = going{}
	// What makes up a run together is checked in one window.
	sure := g.sure && !w.s.inRuns
	if !sure && start < int64(w.s.before()*w.block) {
		return 0, nil // blocks before may have to be checked, and are not here
	}
	step := 1
	if sure {
		step = maxRun
	}
	end, err := w.follow(g.id, int(start), step, sure)
	if err != nil || end == int(start) {
		return 0, err
	}
	end = min(end, n)
	w.jump(0, end)
	return end, nil
}

// window looks at the first n offsets of buf, which holds reach bytes more. It
// returns how many it looked at.
func (w *worker) window(ctx context.Context, buf []byte, n int) (int, error) {
	w.buf, w.limit, w.carried = buf, n+w.s.reach-w.block, -1
	after := false // a jump
	at, err := w.goOn(n)
	if err != nil {
		return 0, err
	}
	for at < n {
		if w.ended(ctx) {
			return at, w.flush()
		}
		if zero := w.zeroOffsets(at, n); zero > 0 {
			w.budget.scanned(zero)
			at, after = at+zero, false
			continue
		}
		m := min(w.batch, n-at)
		if after {
			// A block that changed in its place is behind us after a block.
			m = min(m, w.block+64)
		}
		next, err := w.offsets(at, m, n)
		if err != nil {
			return at, err
		}
		w.budget.scanned(max(next, at+m) - at)
		after = next > at+m
		at = max(at+m, next)
	}
	return n, w.flush()
}

// offsets looks at m offsets from at on, and returns where a run from one of them
// ended. n is where the window's offsets end.
func (w *worker) offsets(at, m, n int) (int, error) {
	if w.budget.spent() {
		return at, nil
	}
	var found, tried int
	var lo, hi []uint32
	if w.distance == 0 {
		found, tried = w.s.filter.roll(w.hits[:m], w.sums[:m], w.buf[at:], w.s.x.shift(), uint32(w.s.mask))
	} else {
		lo, hi = w.sumsFrom(at, m)
		found, tried = w.s.filter.hits(w.hits[:m], w.scratch, lo, hi, w.distance, w.s.mask)
	}
	w.budget.spend(hitCost * int64(tried))
	next := at
	for i, h := range w.hits[:found] {
		offset := at + int(h)
		if offset < next || w.budget.spent() {
			continue
		}
		key := uint64(w.sums[i])
		if hi != nil {
			key = (uint64(lo[h])<<32 | uint64(hi[h])) & w.s.mask
		}
		end, err := w.probe(offset, key)
		if err != nil {
			return offset, err
		}
		if end > offset && !w.thorough {
			w.jump(offset+1, min(end, n))
			next = end
		}
	}
	return next, nil
}

// sumsFrom are the rsums of pairs at m offsets from at on, of the first blocks and of the second.
func (w *worker) sumsFrom(at, m int) (lo, hi []uint32) {
	shift := w.s.x.shift()
	if !w.ring {
		checksum.RsumOffsets(w.sums[:m], w.buf[at:], shift)
		checksum.RsumOffsets(w.second[:m], w.buf[at+w.distance:], shift)
		return w.sums[:m], w.second[:m]
	}
	have := 0
	if w.carried == at {
		have = copy(w.sums[:w.distance], w.sums[w.last:])
	}
	checksum.RsumOffsets(w.sums[have:m+w.distance], w.buf[at+have:], shift)
	w.carried, w.last = at+m, m
	return w.sums[:m], w.sums[w.distance:][:m]
}

// jump notes that offsets are jumped over.
func (w *worker) jump(start, end int) {
	if n := len(w.jumped); n > 0 && int64(start)-w.jumped[n-1].end < mergeGap {
		w.jumped[n-1].end = int64(end)
		return
	}
	w.jumped = append(w.jumped, span{int64(start), int64(end)})
}

// mergeGap is how far what was jumped over may lie apart to be taken as one, in
// bytes: reading a little twice is cheaper than many small reads.
const mergeGap = 64 << 10
