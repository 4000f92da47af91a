package daemon

import (
	"encoding/json"
	"fmt"

	"github.com/zsyncfs/zsyncfs/blockstore"
)

const (
	// sizeShare and freeShare are what parts of the file system a store takes at
	// most, and leaves free at least, where the user does not say: of what is free
	// to it, and of that again, but no more than mostFree.
	sizeShare, freeShare = 5, 20
	mostFree             = 1 << 30
)

// limitsKey is where the store keeps the limits that the user said.
const limitsKey = "limits"

// savedLimits are what the user said; nil: nothing.
type savedLimits struct{ Size, MinFree *int64 }

// SetLimits puts the limits in force that the user said once, size and minFree over
// them where they are not nil, and else the default: a fifth of what is free.
func SetLimits(s *blockstore.Store, size, minFree *int64) error {
	var saved savedLimits
	if p, err := s.MetaGet(limitsKey); err == nil {
		_ = json.Unmarshal(p, &saved) // what is damaged was not said
	}
	if size != nil {
		saved.Size = size
	}
	if minFree != nil {
		saved.MinFree = minFree
	}
	l := defaultLimits(s.Stats())
	if saved.Size != nil {
		l.Size = max(*saved.Size, 0)
	}
	if saved.MinFree != nil {
		l.MinFree = max(*saved.MinFree, 0)
	}
	if l != s.Limits() {
		s.SetLimits(l)
	}
	if size == nil && minFree == nil {
		return nil
	}
	p, err := json.Marshal(saved)
	if err == nil {
		err = s.MetaPut(limitsKey, p)
	}
	if err != nil {
		return fmt.Errorf("keep the limits of the cache: %w", err)
	}
	return nil
}

// defaultLimits are those of a store of which the user says nothing.
func defaultLimits(s blockstore.Stats) blockstore.Limits {
	room := s.FreeBytes + s.DiskBytes
	if s.FreeBytes <= 0 {
		return blockstore.Limits{}
	}
	return blockstore.Limits{Size: room / sizeShare, MinFree: min(room/freeShare, mostFree)}
}
