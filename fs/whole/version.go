package whole

import (
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// open opens the version in the store, or makes it, with its whole control file.
func (f *Fill) open() error {
	v, err := f.o.Store.OpenVersion(f.o.Control.Raw, f.h, f.place)
	if err != nil {
		return fmt.Errorf("open the version in the store: %w", err)
	}
	f.version = v
	v.Hold()
	err = f.putControl()
	if errors.Is(err, blockstore.ErrControlConflict) {
		// The control file was mended, or broken, under its header. What is here
		// belongs to other records; who has it open goes on with it.
		f.version = nil
		v.Release()
		if err := errors.Join(v.Discard(), v.Close()); err != nil {
			return fmt.Errorf("take a version of other records out of the store: %w", err)
		}
		if f.version, err = f.o.Store.OpenVersion(f.o.Control.Raw, f.h, f.place); err == nil {
			f.version.Hold()
			err = f.putControl()
		}
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
