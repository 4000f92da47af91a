package whole

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
	"github.com/zsyncfs/zsyncfs/zsyncclient/seed"
)

// scan looks for missing blocks in the version's relatives and in the seeds,
// until none is missing.
func (f *Fill) scan(ctx context.Context) error {
	if err := f.scanRelatives(ctx); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, path := range f.o.Seeds {
		full, err := filepath.Abs(path)
		if err != nil {
			full = path
		}
		if seen[full] {
			continue
		}
		seen[full] = true
		if err := f.scanned(ctx, f.scanFile(ctx, path)); err != nil {
			return err
		}
	}
	if f.missing.Count() == 0 {
		return nil
	}
	if err := f.makeIndex(); err != nil {
		return err
	}
	err := f.index.Zeros(f.missing, f.found)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// scanned is the error of a scan that must end the Fill; others are only told.
func (f *Fill) scanned(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isStoreError(err), errors.Is(err, seed.ErrRecords):
		return err
	}
	f.o.Warn(fmt.Errorf("seed not used: %w", err))
	return nil
}

// scanFile scans one seed.
func (f *Fill) scanFile(ctx context.Context, path string) error {
	if f.missing.Count() == 0 {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := f.makeIndex(); err != nil {
		return err
	}
	f.begin(download.Scanning, path, info.Size())
	stats, err := f.index.ScanFile(ctx, path, f.o.Name, f.missing, f.found, f.scanOptions())
	if err == nil && stats.Broken != nil {
		f.o.Warn(fmt.Errorf("%s: only the part before the fault was used: %w", path, stats.Broken))
	}
	return err
}

// scanRelatives scans other versions of the store.
func (f *Fill) scanRelatives(ctx context.Context) error {
	if f.o.Store == nil || f.o.Relatives < 0 || f.missing.Count() == 0 {
		return nil
	}
	entries, err := f.o.Store.Entries()
	if err != nil {
		return err
	}
	for _, e := range relatives(f.o.Control.URL, f.key(), entries, f.o.Relatives) {
		if f.missing.Count() == 0 {
			return nil
		}
		v, err := f.o.Store.Reopen(e.Key)
		if err != nil {
			continue // gone, or damaged, which the store tells
		}
		err = f.scanVersion(ctx, v, string(e.Place))
		if err = errors.Join(f.scanned(ctx, err), v.Close()); err != nil {
			return err
		}
	}
	return nil
}

// scanVersion scans the blocks that v has.
func (f *Fill) scanVersion(ctx context.Context, v *blockstore.Version, name string) error {
	if v.State() == blockstore.Suspect {
		return nil
	}
	if err := f.makeIndex(); err != nil {
		return err
	}
	r := newKnownReader(v)
	f.begin(download.Scanning, name, r.size)
	_, err := f.index.Scan(ctx, r, r.size, f.missing, f.found, f.scanOptions())
	return err
}

func (f *Fill) scanOptions() seed.Options {
	return seed.Options{Workers: f.o.Workers, Progress: func(scanned int64) { raise(&f.done, scanned) }}
}

func (f *Fill) makeIndex() (err error) {
	if f.index == nil {
		f.index, err = seed.NewIndex(f.h, f.o.Control.Records)
	}
	return err
}

// found takes blocks that a scan found; several goroutines call it at once.
func (f *Fill) found(first format.BlockID, data []byte, _ int64) error {
	if err := f.put(first, data); err != nil {
		return err
	}
	f.local.Add(int64(len(data)))
	return nil
}

// put keeps blocks; a Plan keeps none.
func (f *Fill) put(first format.BlockID, data []byte) error {
	if f.planning {
		return nil
	}
	if err := f.version.Put(first, data); err != nil {
		return &storeError{err}
	}
	return nil
}
