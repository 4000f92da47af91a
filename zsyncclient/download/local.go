package download

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/seed"
)

// scanSeeds looks for missing blocks in the file at Path, the seeds, and what
// was set aside, until none is missing.
func (d *Download) scanSeeds(ctx context.Context) error {
	seen := map[string]bool{}
	given := len(d.o.Seeds)
	paths := append(append([]string{}, d.o.Seeds...), d.o.Path)
	if d.o.Packed {
		paths = append(paths, d.o.PlainPath)
	}
	paths = append(paths, d.setAside...)
	for i, path := range paths {
		if d.missing.Count() == 0 {
			return nil
		}
		full, err := filepath.Abs(path)
		if err != nil {
			full = path
		}
		if seen[full] {
			continue
		}
		seen[full] = true
		err = d.scanFile(ctx, path)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case isWriteError(err):
			return err
		case i >= given && isMissingFile(err):
			// Nobody named it.
		default:
			d.o.Warn(fmt.Errorf("seed not used: %w", err))
		}
	}
	if d.missing.Count() == 0 {
		return nil
	}
	if err := d.makeIndex(); err != nil {
		return err
	}
	return errors.Join(d.index.Zeros(d.missing, d.found), ctx.Err())
}

// scanFile scans one seed.
func (d *Download) scanFile(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	if err := d.makeIndex(); err != nil {
		return err
	}
	d.begin(Scanning, path, info.Size())
	target := filepath.Base(d.o.Path)
	if d.o.Packed {
		target = filepath.Base(d.o.PlainPath)
	}
	stats, err := d.index.ScanFile(ctx, path, target, d.missing, d.found, seed.Options{
		Workers:  d.o.Workers,
		Progress: func(scanned int64) { raise(&d.done, scanned) },
	})
	if err == nil && stats.Broken != nil {
		d.o.Warn(fmt.Errorf("%s: only the part before the fault was used: %w", path, stats.Broken))
	}
	return err
}

func (d *Download) makeIndex() (err error) {
	if d.index == nil {
		d.index, err = seed.NewIndex(d.h, d.o.Records)
	}
	return err
}

// found takes blocks that a scan found; several goroutines call it at once.
func (d *Download) found(first format.BlockID, data []byte, _ int64) error {
	if err := d.write(first, data); err != nil {
		return &writeError{err}
	}
	d.local.Add(int64(len(data)))
	return nil
}

// writeError tells a fault of the file under construction from one of a seed.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

func isWriteError(err error) bool {
	var w *writeError
	return errors.As(err, &w)
}
