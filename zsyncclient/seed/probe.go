package seed

import (
	"bytes"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// probe looks for blocks with key at offset, and follows the run of blocks from
// there. It returns where the run ends; offset when nothing was found.
func (w *worker) probe(offset int, key uint64) (int, error) {
	s := w.s
	known := &w.barren[hashKey(key^1)>>58]
	if *known == key+1 {
		return offset, nil
	}
	w.budget.spend(lookupCost)
	w.counts.lookups++
	lo, hi := s.table.lookup(key, s.key)
	if lo == hi {
		return offset, nil
	}
	if hi-lo > smallRange {
		w.budget.spend(searchCost)
	}
	if !w.wanted(lo, hi) {
		if !w.thorough && w.promising(offset, lo, hi) {
			return w.followKnown(offset, lo, hi)
		}
		*known = key + 1
		return offset, nil
	}
	if s.least > s.seq {
		return w.probeRun(offset, key, lo, hi)
	}
	if !w.promising(offset, lo, hi) {
		w.budget.spend(int64(w.s.reach) / lanesGain)
		return offset, w.postpone(offset, lo, hi)
	}
	for i := range s.seq {
		w.budget.spend(int64(w.block))
		if lo, hi = s.x.narrow(s.table, lo, hi, w.sum(offset+i*w.block, 1), i); lo == hi {
			w.counts.failed++
			return offset, nil
		}
	}
	return w.matched(offset, lo, hi)
}

// matched delivers the blocks at offset, which are those of ids lo to hi, and
// follows the run.
func (w *worker) matched(offset, lo, hi int) (int, error) {
	s := w.s
	ids := s.table.ids[lo:hi]
	if s.inRuns {
		return w.matchedRuns(offset, ids)
	}
	first := int(ids[0])
	for i := range s.seq {
		at := offset + i*w.block
		isNew, err := s.foundBlock(first+i, w.buf[at:at+w.block], w.base+int64(at))
		if err != nil {
			return offset, err
		}
		if isNew {
			w.budget.spend(-4 * int64(w.block))
		}
	}
	end := offset + s.reach
	if w.thorough {
		// Every offset is looked at anyway.
		return end, nil
	}
	return w.followOne(ids, s.seq, end, true)
}

// followKnown follows a run of blocks that nobody misses, by their rsums alone: it
// returns where that ends. A wrong run is no harm but for what it jumps over.
func (w *worker) followKnown(offset, lo, hi int) (int, error) {
	end := offset + w.s.seq*w.block
	to, err := w.followOne(w.s.table.ids[lo:hi], w.s.seq, end, false)
	if to == end {
		to = offset
	}
	return to, err
}

// followOne follows the first of the runs that goes on at end: step blocks after one
// of the ids. It returns where that ends; end when none goes on.
func (w *worker) followOne(ids []uint32, step, end int, sure bool) (int, error) {
	for _, id := range ids[:min(len(ids), maxCandidates)] {
		if to, err := w.follow(int(id)+step, end, 1, sure); err != nil || to > end {
			return to, err
		}
	}
	return end, nil
}

// maxCandidates is how many of the places of a block in the target are tried for
// how a run goes on.
const maxCandidates = 16

// wanted says whether one of the ids, or of the blocks after them in a match, is
// missing.
func (w *worker) wanted(lo, hi int) bool {
	for n, id := range w.s.table.ids[lo:hi] {
		for i := range w.s.least {
			if w.s.missing.Has(format.BlockID(int(id) + i)) {
				w.budget.spend(int64(n))
				return true
			}
		}
	}
	w.budget.spend(int64(hi - lo))
	return false
}

// promising says whether the rsum of what follows goes on like the target after
// one of the ids: then a run begins here, most likely.
func (w *worker) promising(offset, lo, hi int) bool {
	at := offset + w.s.seq*w.block
	if at+w.block > len(w.buf) {
		return false
	}
	w.budget.spend(int64(w.block) / rsumGain)
	r := checksum.RsumBlock(w.buf[at:at+w.block], w.block).Uint32() & w.s.x.mask
	for _, id := range w.s.table.ids[lo:min(hi, lo+maxCandidates)] {
		if next := int(id) + w.s.seq; next < w.s.x.count && w.s.x.rsumOf(next) == r {
			return true
		}
	}
	return false
}

// sum is the strong checksums of count blocks from offset on.
func (w *worker) sum(offset, count int) []byte {
	x := w.s.x
	w.counts.strong += int64(count)
	w.digests = x.strong.SumBlocks(w.digests[:0], w.buf[offset:offset+count*w.block], w.block)
	return w.digests
}

// maxRun is how many blocks of a run are checked at once.
const maxRun = 64

// follow takes blocks from id on that lie at offset and behind. Blocks before them
// were matched, and sure says that the strong checksums of as many as count were. step
// is how many are taken first; more are the longer the run gets. It returns the offset
// after the last one.
func (w *worker) follow(id, offset, step int, sure bool) (int, error) {
	x := w.s.x
	for ; offset < w.limit; step = min(2*step, maxRun) {
		count := min(step, x.count-id, (w.limit-offset+w.block-1)/w.block, (len(w.buf)-offset)/w.block)
		n := w.weak(id, offset, count)
		if n == 0 {
			break
		}
		if w.anyMissing(id, n) {
			var err error
			if n, err = w.confirm(id, offset, n, sure); err != nil {
				return offset, err
			}
			if n <= 0 {
				break
			}
			sure = true
		} else {
			sure = false
		}
		id, offset = id+n, offset+n*w.block
		if n < count {
			break
		}
	}
	if offset >= w.limit && id < x.count {
		w.going = going{at: w.base + int64(offset), from: w.base + int64(w.limit-w.s.reach+w.block), id: id, sure: sure}
	}
	return offset, nil
}

// before is how many blocks that match make sure that one behind them is of their run.
func (s *scan) before() int { return max(s.least-1, 1) }

// confirm delivers those of n blocks from id on at offset that have the right strong
// checksums, and returns how many have. sure: so have the blocks before.
func (w *worker) confirm(id, offset, n int, sure bool) (int, error) {
	back := 0
	if !sure {
		if back = w.s.before(); back > id || back*w.block > offset {
			return 0, nil
		}
	}
	n = w.strong(id-back, offset-back*w.block, n+back) - back
	switch {
	case n <= 0:
		return 0, nil
	case w.s.inRuns:
		return n, w.foundInRun(id, offset, n)
	}
	return n, w.s.foundRun(id, n, w.buf[offset:offset+n*w.block], w.base+int64(offset))
}

// anyMissing says whether one of n blocks from id on is missing.
func (w *worker) anyMissing(id, n int) bool {
	for i := range n {
		if w.s.missing.Has(format.BlockID(id + i)) {
			return true
		}
	}
	return false
}

// weak is how many of count blocks from id on have the rsums of what lies at offset.
func (w *worker) weak(id, offset, count int) int {
	if count <= 0 {
		return 0
	}
	x := w.s.x
	w.rsums = checksum.RsumBlocks(w.rsums[:0], w.buf[offset:offset+count*w.block], w.block)
	for i := range count {
		if !bytes.Equal(w.rsums[4*i+4-x.rsum:4*i+4], x.record(id + i)[:x.rsum]) {
			return i
		}
	}
	return count
}

// strong is how many of count blocks from id on have the strong checksums of what
// lies at offset.
func (w *worker) strong(id, offset, count int) int {
	x := w.s.x
	digests, size := w.sum(offset, count), x.strong.Size()
	for i := range count {
		if !bytes.Equal(digests[i*size:i*size+x.length], x.strongOf(id+i)) {
			return i
		}
	}
	return count
}
