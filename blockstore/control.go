package blockstore

import (
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/format"
)

// Records returns the records of blocks r as the control file stores them.
//
// Errors: ErrUnknownRecords when not all are here, also when some proved
// damaged; ErrInvalid when the target has no such blocks; ErrClosed. Safe for
// concurrent use.
func (v *Version) Records(r format.BlockRange) ([]byte, error) {
	if v.nowhere {
		return nil, ErrUnknownRecords
	}
	if r.Start < 0 || r.End < r.Start || int64(r.End) > v.geometry().BlockCount() {
		return nil, fmt.Errorf("%w: %v", ErrInvalid, r)
	}
	parts, err := v.enter()
	if err != nil {
		return nil, err
	}
	defer v.leave()
	at := v.header.RecordRange(r)
	if !parts.control.covers(at) {
		return nil, ErrUnknownRecords // before memory is taken
	}
	p := make([]byte, at.Length())
	damaged, err := v.readControl(parts, p, at)
	v.forgetRecords(damaged)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// readControl reads bytes r of the control file into p. What the disk does not give
// is forgotten, for the caller to fetch it. damaged is what did not agree with its
// checksums. Errors: ErrUnknownRecords.
func (v *Version) readControl(parts *parts, p []byte, r format.Range) (damaged format.Range, err error) {
	damaged, err = parts.control.read(p, r)
	if err == nil || errors.Is(err, ErrUnknownRecords) {
		return damaged, err
	}
	v.store.trouble(err)
	v.dropRecords(parts.control.forget(r))
	return damaged, ErrUnknownRecords
}

// PutControl stores bytes of the control file at off; they may overlap what is
// here. Bytes past ControlLength are left out. When it makes the control file
// whole, the version gets its ID. Older bytes may prove damaged on the way, so
// ask ControlMissing again when all of its ranges have been put.
//
// Errors: ErrControlConflict when bytes that are here differ, or when the
// control file of a version that has an ID became another one (parts of it had
// been lost to damage): the bytes are not taken; ErrFull (wrapped);
// ErrInvalid; ErrClosed. Safe for concurrent use.
func (v *Version) PutControl(p []byte, off int64) error {
	if v.nowhere {
		return ErrFull
	}
	length := v.header.ControlLength()
	if off < 0 {
		return fmt.Errorf("%w: offset %d", ErrInvalid, off)
	}
	p = p[:min(int64(len(p)), max(length-off, 0))]
	v.promoting.Lock()
	defer v.promoting.Unlock()
	if err := v.putControl(p, off); err != nil {
		return err
	}
	return v.promote(format.Range{Start: off, End: off + int64(len(p))})
}

func (v *Version) putControl(p []byte, off int64) error {
	parts, err := v.enter()
	if err != nil {
		return err
	}
	defer v.leave()
	if len(p) == 0 {
		return nil
	}
	damaged, err := parts.control.put(p, off)
	v.forgetRecords(damaged)
	if err != nil && !errors.Is(err, ErrControlConflict) {
		v.store.trouble(err)
	}
	return err
}

// ControlMissing are the ranges of [0, ControlLength) that are not here, in
// order. Nil once closed.
func (v *Version) ControlMissing() []format.Range {
	if v.nowhere {
		return []format.Range{{End: v.header.ControlLength()}}
	}
	parts, err := v.enter()
	if err != nil {
		return nil
	}
	defer v.leave()
	return parts.control.missing()
}

// promote gives the version its ID when its control file is whole and it has
// none. last is what was added lately. It needs promoting.
func (v *Version) promote(last format.Range) error {
	id, whole, err := v.controlID()
	if err != nil || !whole {
		return err
	}
	v.mu.Lock()
	had, old := v.hasID, v.id
	v.mu.Unlock()
	if !had {
		return v.moveTo(id)
	}
	if old == id {
		return nil
	}
	parts, err := v.enter()
	if err != nil {
		return err
	}
	defer v.leave()
	v.dropRecords(parts.control.forget(last))
	return ErrControlConflict
}

// controlID is the ID that the control file has; false when it is not whole.
func (v *Version) controlID() (ID, bool, error) {
	parts, err := v.enter()
	if err != nil {
		return ID{}, false, err
	}
	defer v.leave()
	v.mu.Lock()
	id, had := v.id, v.hasID
	v.mu.Unlock()
	if !parts.control.whole() {
		return ID{}, false, nil
	}
	if had && parts.control.agreed.Load() {
		return id, true, nil
	}
	id, damaged, err := parts.control.id(v.place)
	v.forgetRecords(damaged)
	if errors.Is(err, errNotWhole) {
		return ID{}, false, nil
	}
	if err == nil {
		parts.control.agreed.Store(true)
	}
	return id, err == nil, err
}
