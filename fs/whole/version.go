package whole

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// open opens the version in the store, or makes it, with its whole control file.
func (f *Fill) open(ctx context.Context) error {
	v, err := f.o.Store.OpenVersion(f.o.Control.Raw, f.h, f.place)
	if err != nil {
		return fmt.Errorf("open the version in the store: %w", err)
	}
	f.version = v
	v.Hold()
	err = f.putControl()
	if errors.Is(err, blockstore.ErrControlConflict) {
		err = f.otherRecords(ctx)
	}
	if err != nil {
		return fmt.Errorf("keep the control file in the store: %w", err)
	}
	if f.usable() {
		return nil
	}
	// What is here was proved wrong before.
	f.forgotten = true
	return errors.Join(f.version.Forget(f.geo.All()), f.version.SetState(blockstore.Provisional))
}

// otherRecords settles that the control file has other records than those here, under the
// same header. Those of a verified version are right. For others the control file is asked
// for once more: nothing protects it on its way, and what is here must not go for that.
func (f *Fill) otherRecords(ctx context.Context) error {
	if f.version.State() == blockstore.Verified {
		records, err := f.version.Records(f.geo.All())
		if err == nil {
			f.takeRecords(records)
		}
		if !errors.Is(err, blockstore.ErrUnknownRecords) { // which a damaged disk has lost
			return err
		}
	}
	if f.o.Again != nil {
		again, err := f.o.Again(ctx)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(again.Raw, f.o.Control.Raw):
			return zsyncclient.ErrTargetChanged
		case !bytes.Equal(again.Records, f.o.Control.Records):
			f.takeRecords(again.Records)
			return f.putControl()
		}
	}
	return f.startAnew()
}

// takeRecords has f go on with records instead of those of the control file.
func (f *Fill) takeRecords(records []byte) {
	ctl := *f.o.Control
	ctl.Records = records
	f.o.Control = &ctl
}

// startAnew takes the version out of the store and makes it anew: the control file was
// mended, or broken, under its header, and what is here belongs to other records. Who has
// it open goes on with it.
func (f *Fill) startAnew() error {
	v := f.version
	f.version = nil
	v.Release()
	if err := errors.Join(v.Discard(), v.Close()); err != nil {
		return fmt.Errorf("take a version of other records out of the store: %w", err)
	}
	v, err := f.o.Store.OpenVersion(f.o.Control.Raw, f.h, f.place)
	if err != nil {
		return err
	}
	f.version = v
	v.Hold()
	return f.putControl()
}

// controlTries is how often records that prove damaged while others are added
// are put once more.
const controlTries = 3

func (f *Fill) putControl() error {
	records := f.o.Control.Records
	for range controlTries {
		if len(f.version.ControlMissing()) == 0 {
			break
		}
		if err := f.version.PutControl(f.o.Control.Raw, 0); err != nil {
			return err
		}
		if err := f.version.PutControl(records, f.h.Size); err != nil {
			return err
		}
	}
	// Also when all was here: are they the same?
	return f.version.PutControl(records, f.h.Size)
}

// usable says whether the version's blocks may be used.
func (f *Fill) usable() bool {
	return f.version != nil && f.version.State() != blockstore.Suspect
}

// takeKnown takes the blocks that the version has off those that are missing.
func (f *Fill) takeKnown() {
	end := f.geo.All().End
	for b := format.BlockID(0); b < end; {
		run, missing := f.version.Known(b, end)
		for id := b; id < b+format.BlockID(run); id++ {
			if f.missing.Take(id) {
				f.local.Add(f.geo.BlockLength(id))
			}
		}
		b += format.BlockID(max(run, missing, 1))
	}
}

// missLost puts the blocks that the version does not have among those that are
// missing, and says how many there are.
func (f *Fill) missLost() (count int64) {
	end := f.geo.All().End
	for b := format.BlockID(0); b < end; {
		run, missing := f.version.Known(b, end)
		for id := b; id < b+format.BlockID(missing); id++ {
			f.missing.Add(id)
		}
		count += missing
		b += format.BlockID(max(run, missing, 1))
	}
	return count
}
