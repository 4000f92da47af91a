package seed

import (
	"bytes"
	"context"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// batch is how many offsets are summed before they are looked up: the sums stay in
// the first caches.
const batch = 8 << 10

// worker scans slices of a seed. It belongs to one goroutine.
type worker struct {
	s *scan
	// thorough: no offset is jumped over.
	thorough bool
	sums     []uint32
	hits     []uint32
	digests  []byte
	jumped   []span // within the window
	buf      []byte // the window
	limit    int    // runs go on up to here
}

func (s *scan) newWorker(thorough bool) *worker {
	distance := 0
	if s.seq > 1 {
		distance = int(s.x.geometry.BlockSize)
	}
	return &worker{s: s, thorough: thorough, sums: make([]uint32, batch+distance), hits: make([]uint32, 0, batch)}
}

// takeJumped is what was jumped over in slice.
func (w *worker) takeJumped(slice span) []span {
	out := make([]span, 0, len(w.jumped))
	for _, j := range w.jumped {
		out = append(out, span{slice.start + j.start, slice.start + j.end})
	}
	w.jumped = w.jumped[:0]
	return out
}

// window looks at the first n offsets of buf, which holds reach bytes more. It
// returns how many it looked at.
func (w *worker) window(ctx context.Context, buf []byte, n int) (int, error) {
	s := w.s
	block := int(s.x.geometry.BlockSize)
	distance := s.reach - block
	w.buf, w.limit = buf, n+distance
	for at := 0; at < n; {
		if s.stop.Load() || s.missing.Count() == 0 || ctx.Err() != nil {
			return at, nil
		}
		m := min(batch, n-at)
		sums := w.sums[:m+distance]
		checksum.RsumOffsets(sums, buf[at:], s.x.shift())
		w.hits = s.filter.hits(w.hits[:0], sums, m, distance, s.x.mask)
		next := at
		for _, h := range w.hits {
			offset := at + int(h)
			if offset < next {
				continue
			}
			key := uint64(sums[h] & s.x.mask)
			if distance > 0 {
				key = key<<32 | uint64(sums[int(h)+distance]&s.x.mask)
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
		at = max(at+m, next)
	}
	return n, nil
}

// jump notes that offsets are jumped over.
func (w *worker) jump(start, end int) {
	if n := len(w.jumped); n > 0 && int64(start)-w.jumped[n-1].end < mergeGap {
		w.jumped[n-1].end = int64(end)
		return
	}
	w.jumped = append(w.jumped, span{int64(start), int64(end)})
}

// mergeGap is how far what was jumped over may lie apart to be taken as one.
const mergeGap = 1 << 20

// probe looks for blocks with key at offset, and follows the run of blocks from
// there. It returns where the run ends; offset when nothing was found.
func (w *worker) probe(offset int, key uint64) (int, error) {
	s := w.s
	lo, hi := s.table.lookup(key, s.key)
	if lo == hi || !w.wanted(lo, hi) {
		return offset, nil
	}
	block := int(s.x.geometry.BlockSize)
	for i := range s.seq {
		if lo, hi = s.x.narrow(s.table, lo, hi, w.sum(offset+i*block, 1), i); lo == hi {
			s.counts.failed.Add(1)
			return offset, nil
		}
	}
	first := int(s.table.ids[lo])
	for i := range s.seq {
		at := offset + i*block
		if err := s.foundBlock(first+i, w.buf[at:at+block]); err != nil {
			return offset, err
		}
	}
	end := offset + s.reach
	for _, id := range s.table.ids[lo:min(hi, lo+maxCandidates)] {
		if to, err := w.follow(int(id)+s.seq, end); err != nil || to > end {
			return to, err
		}
	}
	return end, nil
}

// maxCandidates is how many of the places of a block in the target are tried for
// how a run goes on.
const maxCandidates = 16

// wanted says whether one of the ids, or of the blocks after them, is missing; and
// of many always.
func (w *worker) wanted(lo, hi int) bool {
	if hi-lo > maxCandidates {
		return true
	}
	for _, id := range w.s.table.ids[lo:hi] {
		for i := range w.s.seq {
			if w.s.missing.Has(format.BlockID(int(id) + i)) {
				return true
			}
		}
	}
	return false
}

// sum is the strong checksums of count blocks from offset on.
func (w *worker) sum(offset, count int) []byte {
	x := w.s.x
	block := int(x.geometry.BlockSize)
	w.s.counts.strong.Add(int64(count))
	w.digests = x.strong.SumBlocks(w.digests[:0], w.buf[offset:offset+count*block], block)
	return w.digests
}

// maxRun is how many blocks of a run are checked at once.
const maxRun = 32

// follow takes blocks from id on that lie at offset and behind. It returns the
// offset after the last one.
func (w *worker) follow(id, offset int) (int, error) {
	x := w.s.x
	block := int(x.geometry.BlockSize)
	for step := 1; offset < w.limit; step = min(2*step, maxRun) {
		count := min(step, x.count-id, (w.limit-offset+block-1)/block, (len(w.buf)-offset)/block)
		n := w.matching(id, offset, count)
		for i := range n {
			if err := w.s.foundBlock(id+i, w.buf[offset+i*block:offset+(i+1)*block]); err != nil {
				return offset, err
			}
		}
		id, offset = id+n, offset+n*block
		if n < count || n == 0 {
			break
		}
	}
	return offset, nil
}

// matching is how many of count blocks from id on lie at offset.
func (w *worker) matching(id, offset, count int) int {
	x := w.s.x
	block := int(x.geometry.BlockSize)
	n := 0
	for n < count && checksum.RsumBlock(w.buf[offset+n*block:offset+(n+1)*block], block).Uint32()&x.mask == x.rsumOf(id+n) {
		n++
	}
	if n == 0 {
		return 0
	}
	digests, size := w.sum(offset, n), x.strong.Size()
	for i := range n {
		if !bytes.Equal(digests[i*size:i*size+x.length], x.strongOf(id+i)) {
			return i
		}
	}
	return n
}
