package blockstore

import (
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// When all that takes room is in use, parts of versions go that nobody has looked
// at for a while: a file may be larger than the limit. A version is looked at by
// regions; each knows when it was read or written last.
const (
	// regionSize is the length of a region, in bytes.
	regionSize = 16 << 20
	// coldAfter is how long nobody must have looked at a region for it to go.
	coldAfter = 10 * time.Second
)

// heat is when each region of a version was used last, in seconds since the store
// was opened, plus 1; 0 never. It is made when it is first needed.
type heat []uint32

func (s *Store) tick() uint32 { return uint32(time.Since(s.opened)/time.Second) + 1 }

// warm notes that bytes r are used. It needs mu.
func (v *Version) warm(r format.Range) {
	if v.heat == nil {
		v.heat = make(heat, v.geometry().Length/regionSize+1)
	}
	now := v.store.tick()
	for i := r.Start / regionSize; i*regionSize < r.End && i < int64(len(v.heat)); i++ {
		v.heat[i] = now
	}
}

// coldest is the region with own blocks that was used longest ago, and when; -1
// without one. It needs mu.
func (v *Version) coldest() (region int64, used uint32) {
	region = -1
	for i, at := range v.heat {
		if (region < 0 || at < used) && v.anyOwn(v.regionRange(int64(i))) {
			region, used = int64(i), at
		}
	}
	return region, used
}

func (v *Version) regionRange(i int64) format.Range {
	return format.Range{Start: i * regionSize, End: min((i+1)*regionSize, v.geometry().Length)}
}

// WantWhole says that a part of the version is of no use: as long as it is held and not
// Verified, none is evicted. Safe for concurrent use.
func (v *Version) WantWhole() { v.whole.Store(true) }

// evictColdest evicts one cold region of a version that is in use and in whose
// file no other has blocks. It says whether there was one.
func (s *Store) evictColdest() bool {
	if s.noHoles.Load() {
		return false
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	kept := s.kept()
	var victim *Version
	var region int64
	limit := s.tick()
	if limit <= uint32(coldAfter/time.Second) {
		return false
	}
	oldest := limit - uint32(coldAfter/time.Second)
	for _, v := range s.versions() {
		if v.whole.Load() && v.State() != Verified {
			continue
		}
		if kept[v.key] || s.discarded(v) || s.pinned(v.key) || len(s.sharersOf(v.key)) > 0 {
			continue
		}
		v.mu.Lock()
		if r, used := v.coldest(); r >= 0 && used <= oldest {
			victim, region, oldest = v, r, used
		}
		v.mu.Unlock()
	}
	if victim == nil {
		return false
	}
	blocks := inside(victim.geometry(), victim.regionRange(region))
	if blocks.Count() == 0 {
		blocks = victim.geometry().Covering(victim.regionRange(region))
	}
	freed, _ := victim.giveBack(blocks)
	return freed
}
