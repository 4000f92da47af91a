package whole

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// fetch brings the blocks that are still missing into the store.
func (f *Fill) fetch(ctx context.Context) error {
	f.takeKnown() // a reader of a mount may have fetched some meanwhile
	runs := slices.Collect(f.missing.Runs())
	if len(runs) == 0 {
		return nil
	}
	need := f.missing.Bytes(f.geo)
	if err := f.room(need); err != nil {
		return err
	}
	if f.o.Source == nil {
		return &download.FetchError{Missing: need, Err: download.ErrNoSource}
	}
	url := f.o.Source.URL()
	if url != "" { // else the source knows why, and makes no request
		f.begin(download.Fetching, url, need)
	}
	f.o.Source.SetLocal(f.version)
	err := f.o.Source.FetchRuns(ctx, runs, f.o.Priority, f.records, f.arrived)
	if errors.Is(err, zsyncclient.ErrNoRanges) {
		err = f.o.Source.FetchAll(ctx, f.records, f.arrived)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isStoreError(err):
		return err
	case url == "":
		err = fmt.Errorf("%w: %w", download.ErrNoSource, err)
	}
	return &download.FetchError{Missing: f.missing.Bytes(f.geo), Err: err}
}

// room makes room for need bytes in the store, and says whether there is. After
// blocks were forgotten nobody knows: their room is still theirs.
func (f *Fill) room(need int64) error {
	room, err := f.o.Store.MakeRoom(need)
	if err != nil || f.forgotten || need <= room {
		return err
	}
	return &RoomError{Dir: f.o.Store.Dir(), Need: need, Free: room}
}

// records are those of blocks r, for the source.
func (f *Fill) records(_ context.Context, r format.BlockRange) ([]byte, error) {
	size := f.h.RecordSize()
	return f.o.Control.Records[int64(r.Start)*size : int64(r.End)*size], nil
}

// arrived takes verified blocks of the source, of which some may be here
// already; several goroutines call it at once.
func (f *Fill) arrived(first format.BlockID, data []byte) error {
	return f.missing.TakeRuns(f.geo, first, data, func(run format.BlockRange, data []byte) error {
		if err := f.put(run.Start, data); err != nil {
			return err
		}
		for id := run.Start; id < run.End; id++ {
			f.unfetched.Take(id)
		}
		f.fetched.Add(int64(len(data)))
		f.done.Add(int64(len(data)))
		return nil
	})
}
