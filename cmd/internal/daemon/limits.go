package daemon

import (
	"github.com/zsyncfs/zsyncfs/blockstore"
)

const (
	// sizeShare and freeShare are what parts of the file system a store takes at
	// most, and leaves free at least, where the user does not say: of what is free
	// to it, and of that again, but no more than mostFree.
	sizeShare, freeShare = 5, 20
	mostFree             = 1 << 30
)

// DefaultLimits are those of a store of which the user says nothing: it may take a
// fifth of what is free to it.
func DefaultLimits(s blockstore.Stats) blockstore.Limits {
	room := s.FreeBytes + s.DiskBytes
	if s.FreeBytes <= 0 {
		return blockstore.Limits{}
	}
	return blockstore.Limits{Size: room / sizeShare, MinFree: min(room/freeShare, mostFree)}
}

// limit applies the limits that spec names.
func (d *Daemon) limit(spec Spec) {
	l := d.store.Limits()
	if spec.CacheSize != nil {
		l.Size = *spec.CacheSize
	}
	if spec.CacheMinFree != nil {
		l.MinFree = *spec.CacheMinFree
	}
	if l != d.store.Limits() {
		d.store.SetLimits(l)
	}
}
