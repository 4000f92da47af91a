package seed

import (
	"context"
	"errors"
	"io"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/zsyncfs/zsyncfs/format"
)

// errDone ends a scan that has nothing more to do.
var errDone = errors.New("done")

// scan is one scan of one seed.
type scan struct {
	x       *Index
	missing *Missing
	deliver Deliver
	o       Options
	workers int
	slice   int // offsets in a slice
	part    int // offsets of a slice that are read at once
	reach   int // bytes from an offset on that a match needs

	// least is how many blocks in a row a match has. inRuns: blocks are delivered
	// only where they lie in such a row; least is seq otherwise.
	least  int
	inRuns bool

	// How blocks are looked up: alone (seq 1) or with the next one (seq 2).
	seq   int
	keys  int // how many blocks have a key
	key   func(int) uint64
	table *table
	mask  uint64 // of a key

	filter *filter // replaced between the passes only

	scanned, found atomic.Int64
	stop           atomic.Bool
	// done has a bit for each class (at its first place in table single) of which
	// all blocks were delivered.
	done []atomic.Uint64

	mu     sync.Mutex
	err    error  // guarded by mu: the first
	counts counts // guarded by mu
}

// counts are for tests: they assert what work was done.
type counts struct {
	lookups        int64 // in a table
	strong, failed int64 // blocks whose strong checksum was computed; matches that it refused
}

// add counts what a worker did.
func (s *scan) add(c counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.lookups += c.lookups
	s.counts.strong += c.strong
	s.counts.failed += c.failed
}

// wholeSeed is the length that a seed of unknown length counts as, in bytes, when
// it is decided whether one block is enough for a match.
const wholeSeed = 1 << 40

func (x *Index) newScan(size int64, missing *Missing, deliver Deliver, o Options) *scan {
	s := &scan{x: x, missing: missing, deliver: deliver, o: o, seq: x.seq}
	s.inRuns = o.LeastRun > 1
	if x.seq > 1 && !s.inRuns && x.singleSuffices(size) {
		s.seq = 1
	}
	s.least = max(s.seq, min(o.LeastRun, MaxLeastRun))
	s.keys, s.key, s.table = x.count, x.singleKey, x.single
	s.mask = uint64(x.mask)
	if s.seq > 1 {
		s.keys, s.key, s.table = max(x.count-1, 0), x.pairKey, x.pair
		s.mask |= s.mask << 32
	}
	block := int(x.geometry.BlockSize)
	s.reach = s.least * block
	s.slice = sliceSize
	if o.slice > 0 {
		s.slice = o.slice
	}
	s.part = min(max(leastPart, 32*s.reach), s.slice)
	if o.part > 0 {
		s.part = min(o.part, s.slice)
	}
	s.workers = o.Workers
	if s.workers <= 0 {
		s.workers = runtime.GOMAXPROCS(0)
	}
	s.workers = max(1, min(s.workers, scanMemory/(s.part+s.reach+12*s.batch())))
	if block > s.slice/manyBlocks {
		s.workers = 1 // so that it takes runs up from slice to slice
	}
	s.done = make([]atomic.Uint64, (x.count+63)/64)
	return s
}

const (
	// sliceSize is how many offsets of a seed one worker takes at a time.
	sliceSize = 4 << 20
	// leastPart is how many of them are read at once, at least: so few that the
	// buffer leaves much of the second cache to the filter, but many times what is
	// read beyond them. A seed in which nothing matches is scanned by 3 to 8 % faster
	// than with whole slices.
	leastPart = 512 << 10
	// manyBlocks in a slice make up for having to find a run anew in each.
	manyBlocks = 8
	// scanMemory is what the buffers of a scan may take together, in bytes, as
	// long as one worker's do not take more.
	scanMemory = 32 << 20
)

// singleSuffices says whether a block counts as found without its neighbour in a
// seed of size bytes, although the header wants two: when by chance not one in
// 2^20 such seeds has an offset with both checksums of any block. Of the rsum at
// most 28 bits count, since the sum of the bytes of a block does not spread over
// all of its 16 bits.
//
// With less than the whole rsum that is done for small targets only: too many
// offsets would have the rsum of some block, and need a strong checksum, which
// costs more than single blocks are worth.
func (x *Index) singleSuffices(size int64) bool {
	if x.rsum < format.MaxRsumLength && x.geometry.Length > 1<<(8*x.rsum-2) {
		return false
	}
	have := 8*x.length + min(8*x.rsum, 28)
	return have >= bits.Len64(uint64(max(size, 0)))+bits.Len(uint(x.count))+20
}

// fail keeps the first error and ends the scan.
func (s *scan) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.stop.Store(true)
}

// result is what the scan did, and why it ended early, if not because nothing is
// missing any more.
func (s *scan) result(ctx context.Context) (Stats, error) {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err == nil {
		err = ctx.Err()
	}
	if errors.Is(err, errDone) {
		err = nil
	}
	return Stats{Scanned: s.scanned.Load(), Found: s.found.Load()}, err
}

// addScanned counts n bytes of the seed.
func (s *scan) addScanned(n int64) {
	now := s.scanned.Add(n)
	if s.o.Progress != nil {
		s.o.Progress(now)
	}
}

// Scan looks at every offset of the size bytes of r for blocks in missing, and
// ends early when none is missing. r must be safe for concurrent use.
//
// Blocks of zeros need no seed: they are delivered before r is read.
//
// Errors: of r and deliver, as they are; ctx's. A seed shorter than size is
// io.ErrUnexpectedEOF.
func (x *Index) Scan(ctx context.Context, r io.ReaderAt, size int64, missing *Missing, deliver Deliver, o Options) (Stats, error) {
	s := x.newScan(size, missing, deliver, o)
	s.file(ctx, r, size)
	return s.result(ctx)
}

// file is Scan, with s as what it knows.
func (s *scan) file(ctx context.Context, r io.ReaderAt, size int64) {
	if !s.begin(ctx) || size <= 0 {
		return
	}
	for part := range stretches(size, s.o.First) {
		jumped := s.pass(ctx, r, size, s.work(r, part, size), false)
		if !s.stop.Load() && s.missing.Count() > 0 && s.worthAgain(jumped) {
			// What runs of matching blocks jumped over may hold other blocks, which
			// begin elsewhere. Only what is still missing is looked for.
			s.filter = s.newFilter()
			var work []span
			for _, j := range jumped {
				work = j.cut(s.slice, work)
			}
			s.pass(ctx, r, size, work, true)
			s.filter = s.newFilter()
		}
		if s.stop.Load() {
			return
		}
	}
}

// worthAgain says whether what runs jumped over is to be scanned at every offset:
// when that is little, or when much is missing. On real series it found up to 4 %
// of what was missing. So it has its price in seconds of the line, unless a large
// seed has nearly everything in place: then it is most of the time of a scan.
func (s *scan) worthAgain(jumped []span) bool {
	total := int64(0)
	for _, j := range jumped {
		total += j.end - j.start
	}
	missing := s.missing.Count() * s.x.geometry.BlockSize
	return total > 0 && (total <= littleAgain || missing >= total/16)
}

// littleAgain is how many bytes are scanned again whatever is missing: a fifth of
// a second of one core.
const littleAgain = 128 << 20

// begin delivers what needs no seed and makes the filter; false when there is
// nothing to scan for.
func (s *scan) begin(ctx context.Context) bool {
	if ctx.Err() != nil || s.missing.Count() == 0 {
		return false
	}
	if err := s.deliverZeros(); err != nil {
		s.fail(err)
		return false
	}
	if s.missing.Count() == 0 {
		return false
	}
	s.filter = s.newFilter()
	return true
}

// pass scans spans of r, given to the workers in order of their distance from First. It returns what runs
// jumped over; with thorough nothing is jumped over, nor counted as scanned.
func (s *scan) pass(ctx context.Context, r io.ReaderAt, size int64, work []span, thorough bool) []span {
	sortFrom(work, s.o.First)
	var next atomic.Int64
	var mu sync.Mutex
	var jumped []span
	var wg sync.WaitGroup
	for range min(s.workers, len(work)) {
		wg.Go(func() {
			w := s.newWorker(thorough)
			defer func() { s.add(w.counts) }()
			var buf []byte
			var parts []span
			for !s.stop.Load() && ctx.Err() == nil && s.missing.Count() > 0 {
				i := next.Add(1) - 1
				if i >= int64(len(work)) {
					return
				}
				parts = work[i].cut(s.part, parts[:0])
				for _, part := range parts {
					if w.ended(ctx) {
						return
					}
					if need := int(part.end-part.start) + s.reach; cap(buf) < need {
						buf = make([]byte, need)
					}
					if err := s.partPass(ctx, r, size, w, buf, part); err != nil {
						s.fail(err)
						return
					}
					mu.Lock()
					jumped = append(jumped, w.takeJumped(part)...)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return jumped
}

// partPass reads and scans a part of a slice.
func (s *scan) partPass(ctx context.Context, r io.ReaderAt, size int64, w *worker, buf []byte, part span) error {
	n := int(part.end - part.start)
	buf = buf[:n+s.reach]
	have := int(min(int64(len(buf)), size-part.start))
	if got, err := r.ReadAt(buf[:have], part.start); got < have {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	clear(buf[have:])
	w.base = part.start
	scanned, err := w.window(ctx, buf, n)
	if !w.thorough {
		s.addScanned(int64(scanned))
	}
	return err
}
