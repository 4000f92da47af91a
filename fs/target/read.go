package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// piece is one missing run of one read. A flight that brings blocks of it
// copies them into dst, under Target.mu and only while the piece is registered:
// a reader that left has its buffer back.
type piece struct {
	blocks format.BlockRange
	left   int64    // blocks still to come; guarded by Target.mu
	got    []uint64 // which blocks came: a stream may bring one a second time
	dst    []byte   // bytes [off, off+len(dst)) of the target
	off    int64
	done   chan struct{} // closed when left is 0 or err is set
	err    error         // set before done is closed
}

// readMissing fills p, of which some block was not here: runs that are here are
// read, the others are awaited. p lies within the target.
//
// bulk says that the read is one of many in a row, which may wait longer for what
// is being looked for here.
func (t *Target) readMissing(ctx context.Context, p []byte, off int64, bulk bool) error {
	want := t.geometry.Covering(format.Range{Start: off, End: off + int64(len(p))})
	t.awaitSearch(ctx, want, bulk)
	for want.Count() > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		local, pieces, err := t.await(want, p, off, bulk)
		if err != nil {
			return err
		}
		err = t.finishRead(ctx, local, pieces, p, off)
		if !errors.Is(err, errReread) {
			return err
		}
	}
	return nil
}

// errReread says that a block which was here is not any more: it was damaged.
var errReread = errors.New("a local block was damaged")

func (t *Target) finishRead(ctx context.Context, local []format.BlockRange, pieces []*piece, p []byte, off int64) error {
	defer t.leave(pieces)
	var reread bool
	for _, run := range local {
		dst, at := t.part(run, p, off)
		if _, err := t.version.ReadAt(dst, at); err != nil {
			if err := t.localFailure(err, run); err != nil {
				return err
			}
			reread = true
		}
	}
	for _, q := range pieces {
		if err := t.waitFor(ctx, q); err != nil {
			return err
		}
	}
	if reread {
		return errReread
	}
	return nil
}

// waitFor waits for the blocks of q.
func (t *Target) waitFor(ctx context.Context, q *piece) error {
	select {
	case <-q.done:
		return q.err
	default:
	}
	late := time.NewTicker(hurryAfter)
	defer late.Stop()
	for {
		select {
		case <-q.done:
			return q.err
		case <-late.C:
			t.hurry()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// localFailure turns an error of a local read into nil when the blocks can be
// fetched instead.
func (t *Target) localFailure(err error, run format.BlockRange) error {
	var damaged *blockstore.DamagedError
	switch {
	case errors.As(err, &damaged), errors.Is(err, blockstore.ErrUnknownBlock):
		return nil
	}
	t.options.Warn(t.where(), fmt.Errorf("read %v from the store, fetching them instead: %w", run, err))
	if ferr := t.version.Forget(run); ferr != nil {
		return fmt.Errorf("read %v from the store: %w", run, errors.Join(err, ferr))
	}
	return nil
}

// part is the part of p (bytes from off on) that blocks cover, and its offset.
func (t *Target) part(blocks format.BlockRange, p []byte, off int64) ([]byte, int64) {
	r := t.geometry.Bytes(blocks)
	start, end := max(r.Start, off), min(r.End, off+int64(len(p)))
	return p[start-off : end-off], start
}

// await registers a piece for every run of want that is not here, starts
// flights for what is not on its way, and returns the runs that are here.
func (t *Target) await(want format.BlockRange, p []byte, off int64, together bool) (local []format.BlockRange, pieces []*piece, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil, ErrClosed
	}
	var missed []format.BlockRange
	for b := want.Start; b < want.End; {
		run, missing := t.version.Known(b, want.End)
		if run > 0 {
			local = append(local, format.BlockRange{Start: b, End: b + format.BlockID(run)})
			b += format.BlockID(run)
			continue
		}
		blocks := format.BlockRange{Start: b, End: b + format.BlockID(missing)}
		q := &piece{blocks: blocks, left: blocks.Count(), got: make([]uint64, (blocks.Count()+63)/64), done: make(chan struct{})}
		q.dst, q.off = t.part(blocks, p, off)
		pieces = append(pieces, q)
		t.pieces = append(t.pieces, q)
		missed = append(missed, blocks)
		b = blocks.End
	}
	t.schedule(missed, together)
	return local, pieces, nil
}

// leave takes pieces off the list; their buffers are the reader's own again.
func (t *Target) leave(pieces []*piece) {
	if len(pieces) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, q := range pieces {
		t.pieces = without(t.pieces, q)
	}
}

// feed copies the verified blocks came, whose bytes are data, into the pieces
// that wait for them. t.mu is held.
func (t *Target) feed(came format.BlockRange, data []byte) {
	for _, q := range t.pieces {
		fresh := q.blocks.Intersect(came)
		if fresh.Count() == 0 || !q.waits() {
			continue
		}
		q.copyFrom(data, t.geometry.Offset(came.Start))
		if q.take(fresh); q.left == 0 {
			close(q.done)
		}
	}
}

// waits says that q is neither complete nor failed. Target.mu is held.
func (q *piece) waits() bool { return q.left > 0 && q.err == nil }

// wants says that q waits for a block of blocks. Target.mu is held.
func (q *piece) wants(blocks format.BlockRange) bool {
	return q.waits() && q.blocks.Intersect(blocks).Count() > 0
}

// take marks blocks as come. Target.mu is held.
func (q *piece) take(blocks format.BlockRange) {
	for b := blocks.Start; b < blocks.End; b++ {
		i := b - q.blocks.Start
		if bit := uint64(1) << (i % 64); q.got[i/64]&bit == 0 {
			q.got[i/64] |= bit
			q.left--
		}
	}
}

// copyFrom copies the part of data, bytes of the target from off on, that q wants.
func (q *piece) copyFrom(data []byte, off int64) {
	start := max(off, q.off)
	end := min(off+int64(len(data)), q.off+int64(len(q.dst)))
	if start < end {
		copy(q.dst[start-q.off:end-q.off], data[start-off:])
	}
}

// fail ends the pieces that wait for a block of blocks. t.mu is held.
func (t *Target) fail(blocks format.BlockRange, err error) {
	for _, q := range t.pieces {
		if q.wants(blocks) {
			q.err = err
			close(q.done)
		}
	}
}
