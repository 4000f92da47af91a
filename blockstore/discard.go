package blockstore

import (
	"os"
	"path/filepath"
)

// Discard takes the version out of the store: the next OpenVersion of its
// header makes a new one, which is empty. Those who have this one open go on
// with it; its files are removed by the last Close. It is used when the remote
// control file has the same header and other records, or for what nobody wants
// any more.
//
// Errors: of the disk; ErrClosed. Safe for concurrent use.
func (v *Version) Discard() error {
	if v.nowhere {
		return nil
	}
	s := v.store
	s.moving.Lock()
	defer s.moving.Unlock()
	v.folder.Lock()
	open, gone := v.parts != nil, v.discarded
	v.folder.Unlock()
	switch {
	case !open:
		return ErrClosed
	case gone:
		return nil // the key may be another's by now
	}
	if err := s.handOver(v.key, true); err != nil {
		return err
	}
	v.folder.Lock()
	defer v.folder.Unlock()
	if v.parts == nil {
		return ErrClosed
	}
	if err := s.owns(); err != nil {
		return err
	}
	aside, err := s.setAside(v.name)
	if err != nil {
		return err
	}
	old := v.name
	v.name, v.discarded = aside, true
	v.mu.Lock()
	v.diskState = Provisional // nobody reads there any more
	v.mu.Unlock()
	// Before the key is free: what the next one writes must stay.
	err = s.index.update([]entry{keyEntry(v.key, ""), {key: indexVersion + old}})
	// Its room counts as taken until it is given back.
	s.book(&v.booked, account{key: v.key, disk: v.booked.disk}, 0)
	s.detachSegment(v.key)
	s.mu.Lock()
	s.totals.versions--
	if s.open[v.key] == v.slot {
		delete(s.open, v.key)
	}
	s.orphans[v] = struct{}{}
	s.mu.Unlock()
	s.wakeEvictor() // what is kept may have got its blocks beyond the limits
	return err
}

// removeFiles ends a discarded version. It needs folder.
func (v *Version) removeFiles() error {
	s := v.store
	s.mu.Lock()
	delete(s.orphans, v)
	s.mu.Unlock()
	err := s.owns()
	if err == nil {
		err = os.RemoveAll(filepath.Join(s.versionsDir(), v.name))
	}
	s.book(&v.booked, account{key: v.key}, 0)
	return err
}
