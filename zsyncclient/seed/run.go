package seed

import (
	"bytes"
	"encoding/binary"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// probeRun is probe where a match has more blocks than a key: it looks which of the
// ids lo to hi, all of that key, begin a run at offset that has a missing block.
func (w *worker) probeRun(offset int, key uint64, lo, hi int) (int, error) {
	s := w.s
	if hi-lo <= maxCandidates && !w.promising(offset, lo, hi) {
		return offset, nil // most have the key by chance
	}
	w.budget.spend(int64((s.least-s.seq)*w.block/rsumGain + hi - lo))
	w.rsums = checksum.RsumBlocks(w.rsums[:0], w.buf[offset+s.seq*w.block:offset+s.reach], w.block)
	// In constant and periodic data the same question comes again and again.
	hash := hashRow(key, w.rsums)
	known := &w.fruitless[hash>>58]
	if *known == hash {
		return offset, nil
	}
	var digests []byte
	w.starts = w.starts[:0]
	for _, id := range s.table.ids[lo:hi] {
		if !s.x.hasRsums(int(id)+s.seq, w.rsums) || !w.anyMissing(int(id), s.least) {
			continue
		}
		if digests == nil {
			w.budget.spend(int64(s.reach) / lanesGain)
			digests = w.sum(offset, s.least)
		}
		if s.x.hasDigests(int(id), digests) {
			w.starts = append(w.starts, id)
		}
	}
	switch {
	case digests == nil:
		*known = hash
		return offset, nil
	case len(w.starts) == 0:
		w.counts.failed++
		return offset, nil
	}
	return w.matchedRuns(offset, w.starts)
}

// hashRow is a hash of a key and the rsums of the blocks behind, never 0.
func hashRow(key uint64, rsums []byte) uint64 {
	h := hashKey(key)
	for ; len(rsums) > 0; rsums = rsums[4:] {
		h = hashKey(h ^ h>>29 ^ uint64(binary.BigEndian.Uint32(rsums)))
	}
	return h | 1
}

// hasRsums says whether the blocks from id on are there and have the rsums, which are
// of four bytes each.
func (x *Index) hasRsums(id int, rsums []byte) bool {
	if id+len(rsums)/4 > x.count {
		return false
	}
	for ; len(rsums) > 0; id, rsums = id+1, rsums[4:] {
		if !bytes.Equal(rsums[4-x.rsum:4], x.record(id)[:x.rsum]) {
			return false
		}
	}
	return true
}

// hasDigests says whether the blocks from id on have the strong checksums, which are
// whole.
func (x *Index) hasDigests(id int, digests []byte) bool {
	size := x.strong.Size()
	for ; len(digests) > 0; id, digests = id+1, digests[size:] {
		if !bytes.Equal(digests[:x.length], x.strongOf(id)) {
			return false
		}
	}
	return true
}

// matchedRuns delivers the least blocks at offset as those from each of the ids on,
// and follows the run.
func (w *worker) matchedRuns(offset int, ids []uint32) (int, error) {
	s, end := w.s, offset+w.s.reach
	for _, id := range ids {
		found, err := s.foundAlone(int(id), s.least, w.buf[offset:end], w.base+int64(offset))
		if err != nil {
			return offset, err
		}
		w.budget.spend(-4 * int64(found*w.block))
	}
	if w.thorough {
		return end, nil // every offset is looked at anyway
	}
	return w.followOne(ids, s.least, end, true)
}

// foundInRun delivers n blocks from id on at offset, which continue a run, and what
// else of the target has a row of the run's records.
func (w *worker) foundInRun(id, offset, n int) error {
	if _, err := w.s.foundAlone(id, n, w.buf[offset:offset+n*w.block], w.base+int64(offset)); err != nil {
		return err
	}
	// Rows that end among the n blocks; those that ended before were looked at.
	back := min(w.s.least-1, id, offset/w.block)
	return w.foundCopies(id-back, offset-back*w.block, n+back)
}

// foundCopies delivers what has, elsewhere in the target, a row of the records that n
// blocks from id on have, which were found at offset.
func (w *worker) foundCopies(id, offset, n int) error {
	s := w.s
	looked := 0 // rows with a block before that one were looked at
	for i := range n {
		if !s.x.isRepeated(id + i) {
			looked = i + 1
			continue
		}
		lo, hi := s.x.class(id + i)
		if hi-lo > maxCandidates {
			continue // rows are told by their other blocks; a second pass takes the rest
		}
		for _, other := range s.x.single.ids[lo:hi] {
			shift := int(other) - (id + i)
			if shift == 0 {
				continue
			}
			begin, end := s.x.row(id, shift, n, i, looked)
			if end-begin < s.least {
				continue
			}
			from, to := offset+begin*w.block, offset+end*w.block
			if _, err := s.foundAlone(id+begin+shift, end-begin, w.buf[from:to], w.base+int64(from)); err != nil {
				return err
			}
		}
		looked = i + 1
	}
	return nil
}

// row is the row around i, of n blocks from id on, that has the records of the blocks
// shift further on: from id+begin to id+end. It is empty when it has blocks before
// looked.
func (x *Index) row(id, shift, n, i, looked int) (begin, end int) {
	same := func(k int) bool {
		other := id + k + shift
		return other >= 0 && other < x.count && x.sameRecord(id+k, other)
	}
	for begin = i; begin > 0 && same(begin-1); begin-- {
		if begin == looked {
			return begin, begin
		}
	}
	for end = i; end < n && same(end); end++ {
	}
	return begin, end
}
