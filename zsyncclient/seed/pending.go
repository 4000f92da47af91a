package seed

// pending are offsets that have the rsum of a block, but what follows goes on
// differently than the target: most of them match by chance only. Their strong
// checksums are computed many at once, as the lanes of a processor do it fastest.
type pending struct {
	data  []byte // the blocks, side by side
	items []postponed
}

// postponed is one of them.
type postponed struct{ offset, lo, hi int }

// maxPending is how many offsets wait at most; their blocks take up to
// pendingBytes, but for two that always may.
const (
	maxPending   = 32
	pendingBytes = 1 << 20
)

// postpone puts off the check of ids lo to hi at offset.
func (w *worker) postpone(offset, lo, hi int) error {
	p := &w.pending
	p.items = append(p.items, postponed{offset, lo, hi})
	if len(p.items) >= min(maxPending, max(pendingBytes/w.block, 1)) {
		return w.flush()
	}
	return nil
}

// flush checks what was put off. The window is still that of the offsets.
func (w *worker) flush() error {
	p := &w.pending
	if len(p.items) == 0 {
		return nil
	}
	items := p.items
	p.items = p.items[:0]
	for i := 0; i < w.s.seq && len(items) > 0; i++ {
		items = w.narrowAll(items, i)
	}
	for _, it := range items {
		if _, err := w.matched(it.offset, it.lo, it.hi); err != nil {
			return err
		}
	}
	return nil
}

// narrowAll leaves those of items of which block number step of a match has the
// right strong checksum.
func (w *worker) narrowAll(items []postponed, step int) []postponed {
	p, s := &w.pending, w.s
	p.data = p.data[:0]
	for _, it := range items {
		at := it.offset + step*w.block
		p.data = append(p.data, w.buf[at:at+w.block]...)
	}
	w.counts.strong += int64(len(items))
	w.digests = s.x.strong.SumBlocks(w.digests[:0], p.data, w.block)
	left, size := items[:0], s.x.strong.Size()
	for i, it := range items {
		lo, hi := s.x.narrow(s.table, it.lo, it.hi, w.digests[i*size:(i+1)*size], step)
		if lo == hi {
			w.counts.failed++
			continue
		}
		left = append(left, postponed{it.offset, lo, hi})
	}
	return left
}
