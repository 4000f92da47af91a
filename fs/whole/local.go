package whole

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/target/reuse"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// scan looks for missing blocks in the version's relatives and in the seeds,
// until none is missing.
func (f *Fill) scan(ctx context.Context) error {
	o := reuse.Options{
		Store: f.o.Store, Version: f.version, Control: f.o.Control, Place: f.place, Records: f.o.Control.Records,
		Missing: f.missing, Share: f.o.Share, Relatives: f.o.Relatives, Seeds: f.o.Seeds, Avoid: f.o.Avoid, Name: f.o.Name, Workers: f.o.Workers,
		Begin:    func(name string, total int64) { f.begin(download.Scanning, name, total) },
		Progress: func(scanned int64) { raise(&f.done, scanned) },
		Found:    func(bytes int64) { f.local.Add(bytes) },
		Warn:     f.o.Warn,
	}
	if f.planning {
		o.Version = nil
	}
	return reuse.New(o).Find(ctx)
}

// isStoreError tells a fault of the store from one of a seed or of the network.
func isStoreError(err error) bool {
	var s *reuse.StoreError
	return errors.As(err, &s)
}

// put keeps blocks that were fetched.
func (f *Fill) put(first format.BlockID, data []byte) error {
	if err := f.version.Replace(first, data); err != nil {
		return &reuse.StoreError{Err: err}
	}
	return nil
}

// raise makes a at least n.
func raise(a *atomic.Int64, n int64) {
	for {
		old := a.Load()
		if old >= n || a.CompareAndSwap(old, n) {
			return
		}
	}
}
