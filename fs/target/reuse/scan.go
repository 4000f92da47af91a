package reuse

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/seed"
)

const (
	// mostBarren is how many relatives are scanned in vain before those are left out
	// that only have a name that is alike.
	mostBarren = 2
	// mostRuns and flushAfter bound how long runs that a scan found wait to be
	// shared, with the others of their time.
	mostRuns   = 512
	flushAfter = 5 * time.Millisecond
)

// scanRelatives looks at every offset of what is here of relatives.
func (f *Finder) scanRelatives(ctx context.Context, relatives []*relative) error {
	barren := 0
	for i, r := range relatives {
		before := f.o.Missing.Count()
		if before == 0 {
			return nil
		}
		if barren >= mostBarren && !r.alike {
			continue
		}
		if err := f.judge(ctx, f.scanRelative(ctx, r, relatives[:i])); err != nil {
			return err
		}
		if barren++; f.o.Missing.Count() < before {
			barren = 0
		}
	}
	return nil
}

// scanRelative scans r, but for what it has in common with those before.
func (f *Finder) scanRelative(ctx context.Context, r *relative, before []*relative) error {
	index, err := f.makeIndex()
	if err != nil {
		return err
	}
	moves := r.version.Moves()
	runs := knownRuns(r.version)
	known := newKnownReader(r.version, f.unlooked(ctx, r, runs, before))
	f.o.Begin(r.name, known.size)
	c := &collector{f: f, r: r, known: known, moves: moves, flushed: time.Now()}
	o := f.scanOptions()
	o.LeastRun = f.leastRun
	o.First = known.near(f.o.Near())
	_, err = index.Scan(ctx, known, known.size, f.o.Missing, c.found, o)
	if err = errors.Join(err, c.flush()); err == nil && !c.lost {
		r.looked = runs
	}
	return err
}

func (f *Finder) scanOptions() seed.Options {
	return seed.Options{Workers: f.o.Workers, Progress: f.o.Progress}
}

// collector takes what a scan of a relative found, and shares it in batches. Safe
// for concurrent use.
type collector struct {
	f     *Finder
	r     *relative
	known *knownReader
	moves int64 // of the relative, from before anything of it was read

	mu      sync.Mutex
	runs    []blockstore.Shared // guarded by mu
	flushed time.Time           // guarded by mu
	lost    bool                // guarded by mu; something could not be shared
}

// found takes blocks that lie at offset at of what is known.
func (c *collector) found(first format.BlockID, data []byte, at int64) error {
	off, inOne := c.known.place(at, int64(len(data)))
	if at < 0 || !inOne || c.f.o.Version == nil || !c.r.version.InOnePiece(format.Range{Start: off, End: off + int64(len(data))}) {
		return c.f.put(first, data, at)
	}
	blocks := c.f.geo.Covering(format.Range{Start: c.f.geo.Offset(first), End: c.f.geo.Offset(first) + int64(len(data))})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs = append(c.runs, blockstore.Shared{Blocks: blocks, Off: off, Checked: true, Moves: c.moves})
	if len(c.runs) < mostRuns && time.Since(c.flushed) < flushAfter {
		return nil
	}
	return c.flushLocked()
}

func (c *collector) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushLocked()
}

// flushLocked needs mu. What cannot be shared after all is missing again.
func (c *collector) flushLocked() error {
	runs := c.runs
	c.runs, c.flushed = nil, time.Now()
	sortRuns(runs)
	if len(runs) == 0 {
		return nil
	}
	if _, err := c.f.o.Version.Share(c.r.version, runs); err != nil {
		return &StoreError{err}
	}
	for _, r := range runs {
		if c.f.account(r.Blocks) > 0 {
			c.lost = true
		}
	}
	return nil
}

// account counts those of blocks that are here, and makes the others missing: all
// of them were taken. It returns how many these are.
func (f *Finder) account(blocks format.BlockRange) (lost int64) {
	for b := blocks.Start; b < blocks.End; {
		run, missing := f.o.Version.Known(b, blocks.End)
		if run > 0 {
			f.o.Found(f.geo.Bytes(format.BlockRange{Start: b, End: b + format.BlockID(run)}).Length())
		}
		for id := b; id < b+format.BlockID(missing); id++ {
			f.o.Missing.Add(id)
		}
		lost += missing
		b += format.BlockID(max(run, missing, 1))
	}
	return lost
}
