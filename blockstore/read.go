package blockstore

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// checkBytes is about how much is read and checked at once, in bytes. A block
// that is longer is taken whole.
const checkBytes = 256 << 10

// scratch are buffers for blocks that must be checked before they are given
// out; *[]byte of checkBytes or, in rare versions, of one block.
var scratch = sync.Pool{New: func() any { p := make([]byte, checkBytes); return &p }}

func borrow(n int64) *[]byte {
	p := scratch.Get().(*[]byte)
	if int64(cap(*p)) < n {
		*p = make([]byte, n)
	}
	*p = (*p)[:n]
	return p
}

func giveBack(p *[]byte) {
	// Large ones are left to the collector: blocks may be 16 MiB.
	if cap(*p) <= 4*checkBytes {
		scratch.Put(p)
	}
}

// ReadAt fills p from byte off of the target. All of it must lie in blocks
// that are here. n < len(p) without a fault only at the end of the target,
// with io.EOF. Every block is held against its record the first time that it is
// read after Open; one that does not match is forgotten, for the caller to
// fetch again. The first n bytes of p are right whatever the error.
//
// Errors: ErrUnknownBlock; *DamagedError; ErrInvalid; ErrClosed. Safe for
// concurrent use.
func (v *Version) ReadAt(p []byte, off int64) (n int, err error) {
	if v.nowhere {
		return 0, ErrUnknownBlock
	}
	if off < 0 {
		return 0, fmt.Errorf("%w: offset %d", ErrInvalid, off)
	}
	parts, err := v.enter()
	if err != nil {
		return 0, err
	}
	defer v.leave()
	g := v.geometry()
	var eof error
	if rest := max(g.Length-off, 0); int64(len(p)) > rest {
		p, eof = p[:rest], io.EOF
	}
	for n < len(p) {
		m, err := v.readRun(parts, p[n:], off+int64(n), g)
		n += m
		if err != nil {
			if isDisk(err) {
				// The disk may not give the others either, and to find that out for each
				// would cost a fetch each.
				v.giveUp(format.Range{Start: off + int64(n), End: off + int64(len(p))})
			}
			return n, err
		}
	}
	return n, eof
}

// geometry never changes.
func (v *Version) geometry() format.Geometry { return v.header.Geometry() }

// readRun reads the first bytes of p, as far as one pread or one check reaches.
func (v *Version) readRun(parts *parts, p []byte, off int64, g format.Geometry) (int, error) {
	blocks := g.Covering(format.Range{Start: off, End: off + int64(len(p))})
	found := v.find(blocks)
	if found.at == nowhere {
		return 0, ErrUnknownBlock
	}
	if found.checked {
		end := min(g.Bytes(format.BlockRange{Start: blocks.Start, End: found.end}).End, off+int64(len(p)))
		n, err := found.file(parts).ReadAt(p[:end-off], found.off+off-g.Offset(blocks.Start))
		if v.moves.Load() != found.moves {
			return 0, nil // it may have been moved while it was read: the caller looks again
		}
		if err != nil {
			// n bytes came; the block of the next one cannot be read.
			return n, v.damaged(g.Block(off+int64(n)), err)
		}
		return n, nil
	}
	count := max(checkBytes/g.BlockSize, 1)
	blocks.End = min(found.end, blocks.Start+format.BlockID(count))
	return v.readUnchecked(parts, p, off, blocks, found)
}

// found is a run that was looked up, and how many moves there were before.
type found struct {
	run
	moves int64
}

// find looks up the run that blocks begin with.
func (v *Version) find(blocks format.BlockRange) found {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.warm(v.geometry().Bytes(blocks))
	return found{v.table.run(blocks.Start, blocks.End), v.moves.Load()}
}

// file is where the run's bytes lie.
func (r *run) file(parts *parts) *os.File {
	if r.at == otherSegment {
		return r.segment.f.File
	}
	return parts.data.File
}

// readUnchecked checks blocks, which are at the start of the run at, and copies
// what of them belongs to p.
func (v *Version) readUnchecked(parts *parts, p []byte, off int64, blocks format.BlockRange, at found) (int, error) {
	whole := v.geometry().Bytes(blocks)
	buf := borrow(whole.Length())
	defer giveBack(buf)
	good, err := v.check(parts, *buf, blocks, at)
	if v.moves.Load() != at.moves {
		return 0, nil
	}
	end := v.geometry().Bytes(format.BlockRange{Start: blocks.Start, End: blocks.Start + format.BlockID(good)}).End
	n := 0
	if end > off {
		n = copy(p, (*buf)[off-whole.Start:end-whole.Start])
	}
	if good == blocks.Count() || err != nil {
		return n, err
	}
	bad := blocks.Start + format.BlockID(good)
	v.mu.Lock()
	// A Put may have replaced the block while it was read: then it is right
	// now, and the next turn of the caller reads it again.
	replaced := v.table.checked.has(int64(bad))
	v.mu.Unlock()
	if replaced {
		return n, nil
	}
	return n, v.damaged(bad, nil)
}

// check reads blocks, which are at the start of the run from, into buf, which is
// as long, and holds them against their records. It marks and returns how many
// matched before the first that did not. What was moved meanwhile is no fault,
// and not marked.
func (v *Version) check(parts *parts, buf []byte, blocks format.BlockRange, from found) (int64, error) {
	at := v.header.RecordRange(blocks)
	records := borrow(at.Length())
	defer giveBack(records)
	rotten, err := v.readControl(parts, *records, at)
	v.forgetRecords(rotten)
	if err != nil {
		// Without its record the block is as good as lost. Why it has none was told.
		v.giveUp(v.geometry().Bytes(format.BlockRange{Start: blocks.Start, End: blocks.Start + 1}))
		return 0, &DamagedError{Block: blocks.Start, Err: err}
	}
	n, err := from.file(parts).ReadAt(buf, from.off)
	count := blocks.Count()
	if err != nil {
		if v.moves.Load() != from.moves {
			return 0, nil
		}
		if count = int64(n) / v.header.BlockSize; count == 0 {
			return 0, v.damaged(blocks.Start, err)
		}
		buf = buf[:count*v.header.BlockSize]
	}
	size := v.header.RecordSize()
	good := int64(v.header.VerifyBlocks(blocks.Start, buf, (*records)[:count*size]))
	if from.at == otherSegment {
		good = v.agreeing(parts, blocks.Start, buf, good)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.moves.Load() == from.moves {
		v.markChecked(format.BlockRange{Start: blocks.Start, End: blocks.Start + format.BlockID(good)})
	}
	return good, nil
}

// markChecked marks those of blocks r that are still here. It needs mu.
func (v *Version) markChecked(r format.BlockRange) {
	for b := int64(r.Start); b < int64(r.End); {
		first := v.table.here.next(true, b, int64(r.End))
		b = v.table.here.next(false, first, int64(r.End))
		v.table.checked.set(first, b)
	}
}

// damageRest is how long nothing is told of more damage in the same version.
const damageRest = time.Minute

// damaged forgets block b and says so, but not for each of many. Damage seldom comes
// alone: what was checked before is checked again when it is read.
func (v *Version) damaged(b format.BlockID, cause error) error {
	v.mu.Lock()
	v.forget(format.BlockRange{Start: b, End: b + 1})
	v.table.checked.clear(0, v.table.blocks)
	more, tell := v.damage.more, time.Since(v.damage.told) > damageRest
	if v.damage.more++; tell {
		v.damage.more, v.damage.told = 0, time.Now()
	}
	v.mu.Unlock()
	err := &DamagedError{Block: b, Err: cause}
	told := fmt.Errorf("version %v: %w", v.key, err)
	switch {
	case isDisk(cause):
		v.store.trouble(told) // a disk that fails does so for one block after the other
	case tell && more > 0:
		v.store.options.Warn(fmt.Errorf("%w, and %d more since that was said last", told, more))
	case tell:
		v.store.options.Warn(told)
	}
	return err
}

// giveUp forgets the blocks of bytes r.
func (v *Version) giveUp(r format.Range) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(v.geometry().Covering(r))
}
