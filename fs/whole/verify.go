package whole

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

const (
	// verifyLength is how many bytes are read at once to verify the whole.
	verifyLength = 1 << 20
	// lostRounds is how often blocks that are found damaged while the whole is
	// verified are fetched again.
	lostRounds = 3
)

// verify checks the whole target, and repairs what only looked right.
func (f *Fill) verify(ctx context.Context) error {
	err := f.verifyOnce(ctx)
	if !isWrong(err) {
		return err
	}
	if download.Doubtful(f.h) && f.unfetched.Count() > 0 && f.o.Source != nil {
		f.o.Warn(fmt.Errorf("%w; some blocks match by chance, so all that were not fetched just now are fetched", err))
		if err := f.refetch(ctx); err != nil {
			return err
		}
		if err = f.verifyOnce(ctx); !isWrong(err) {
			return err
		}
	}
	return errors.Join(err, f.condemn())
}

// isWrong says whether err is that the whole is not the target.
func isWrong(err error) bool {
	var wrong *download.VerifyError
	return errors.As(err, &wrong)
}

// refetch forgets what did not come over the network in this run, and fetches it.
func (f *Fill) refetch(ctx context.Context) error {
	f.forgotten = true
	f.local.Store(0)
	wrong := slices.Collect(f.unfetched.Runs())
	for _, run := range wrong {
		for id := run.Start; id < run.End; id++ {
			f.missing.Add(id)
		}
	}
	if err := f.version.Forget(wrong...); err != nil {
		return err
	}
	return f.fetch(ctx)
}

// condemn is the end of a version that is wrong as a whole although each of its
// blocks is right by its checksum. Doubtful blocks do not stay. Others are what
// the control file asks for: it contradicts itself, which the state tells.
func (f *Fill) condemn() error {
	if download.Doubtful(f.h) {
		return errors.Join(f.version.Forget(f.geo.All()), f.version.SetState(blockstore.Provisional))
	}
	return f.version.SetState(blockstore.Suspect)
}

// verifyOnce reads the whole target from the store and compares its digests.
// Every block is held against its record on the way, if that was not done since
// the store was opened; one that the disk lost is fetched again.
func (f *Fill) verifyOnce(ctx context.Context) error {
	var err error
	for range lostRounds {
		err = f.digest(ctx)
		var damaged *blockstore.DamagedError
		if !errors.As(err, &damaged) && !errors.Is(err, blockstore.ErrUnknownBlock) && !errors.Is(err, blockstore.ErrChanged) {
			return err
		}
		if f.missLost() > 0 {
			f.o.Warn(fmt.Errorf("fetched again: %w", err))
		}
		if err := f.fetch(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %s loses them: %w", ErrNotComplete, f.o.Store.Dir(), err)
}

// digest reads the whole target once. Errors: blockstore.ErrChanged when others forgot
// blocks of it meanwhile, whatever the digests say then.
func (f *Fill) digest(ctx context.Context) error {
	f.begin(download.Verifying, f.o.Name, f.geo.Length)
	losses := f.version.Losses()
	v, manifest := f.h.NewFileVerifier(), f.version.NewManifest()
	defer manifest.Abort()
	buf := make([]byte, min(verifyLength, f.geo.Length))
	for off := int64(0); off < f.geo.Length; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p := buf[:min(int64(len(buf)), f.geo.Length-off)]
		if _, err := f.version.ReadAt(p, off); err != nil {
			return err
		}
		var beside sync.WaitGroup
		beside.Go(func() { manifest.Write(p) })
		v.Write(p)
		beside.Wait()
		off += int64(len(p))
		f.done.Store(off)
	}
	switch err := v.Check(); {
	case errors.Is(err, format.ErrNoFileHash):
		return nil // nothing can be said about the whole
	case f.version.Losses() != losses:
		return blockstore.ErrChanged
	case err != nil:
		return &download.VerifyError{Err: err}
	}
	_ = manifest.Commit() // a cache, of whose trouble the store tells
	return f.version.SetVerified(losses)
}
