package download

import (
	"context"
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// FetchError: blocks are still missing, and why they could not be fetched. What
// is here stays in Path.part.
type FetchError struct {
	// Missing is in bytes of the target.
	Missing int64
	Err     error
}

func (e *FetchError) Error() string {
	return fmt.Sprintf("%d bytes could not be fetched: %v", e.Missing, e.Err)
}
func (e *FetchError) Unwrap() error { return e.Err }

// fetch brings the blocks that are still missing into the file.
func (d *Download) fetch(ctx context.Context) error {
	var runs []format.BlockRange
	for r := range d.missing.Runs() {
		runs = append(runs, r)
	}
	if len(runs) == 0 {
		return nil
	}
	if d.o.Source == nil {
		return d.fetchError(ErrNoSource)
	}
	url := d.o.Source.URL()
	if url == "" { // then the source knows why, and makes no request
		why := d.o.Source.FetchRuns(ctx, runs, zsyncclient.Foreground, d.records, d.arrived)
		if why == nil {
			return nil
		}
		return d.fetchError(fmt.Errorf("%w: %w", ErrNoSource, why))
	}
	d.begin(Fetching, url, d.missing.Bytes(d.geo))
	err := d.patiently(ctx, func(ctx context.Context) error {
		err := d.o.Source.FetchRuns(ctx, runs, zsyncclient.Foreground, d.records, d.arrived)
		if errors.Is(err, zsyncclient.ErrNoRanges) {
			err = d.o.Source.FetchAll(ctx, d.records, d.arrived)
		}
		return err
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, isWriteError(err):
		return err
	}
	return d.fetchError(err)
}

func (d *Download) fetchError(err error) error {
	return &FetchError{Missing: d.missing.Bytes(d.geo), Err: err}
}

// writtenBlocks are those in the file so far, for the decoding of gzip copies.
type writtenBlocks struct{ d *Download }

func (w writtenBlocks) Has(r format.Range) bool {
	blocks := w.d.geo.Covering(r)
	for id := blocks.Start; id < blocks.End; id++ {
		if w.d.unwritten.Has(id) {
			return false
		}
	}
	return true
}

func (w writtenBlocks) ReadAt(p []byte, off int64) (int, error) { return w.d.out.ReadAt(p, off) }

// records are those of blocks r, for the source.
func (d *Download) records(_ context.Context, r format.BlockRange) ([]byte, error) {
	size := d.h.RecordSize()
	return d.o.Records[int64(r.Start)*size : int64(r.End)*size], nil
}

// arrived takes verified blocks of the source, of which some may be here
// already; several goroutines call it at once.
func (d *Download) arrived(first format.BlockID, data []byte) error {
	return d.missing.TakeRuns(d.geo, first, data, func(run format.BlockRange, data []byte) error {
		if err := d.write(run.Start, data); err != nil {
			return &writeError{err}
		}
		for id := run.Start; id < run.End; id++ {
			d.unfetched.Take(id)
		}
		d.fetched.Add(int64(len(data)))
		d.done.Add(int64(len(data)))
		return nil
	})
}
