package blockstore

import "math/bits"

// Cell is what is true of some neighbouring blocks of a version; numbers are blocks.
type Cell struct {
	Blocks int64
	Own    int64         // in the version's own data file
	Shared map[Key]int64 // in the files of other versions; nil for none
}

// Cells divides the blocks of the version into n parts, as equal as can be, or one for
// each block when there are fewer. What it costs goes with n and the shared runs, not
// with the blocks that are here. Safe for concurrent use.
func (v *Version) Cells(n int) []Cell {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.table
	n = int(min(int64(max(n, 1)), t.blocks))
	cells := make([]Cell, n)
	for i := range cells {
		part := t.geometry.Part(i, n)
		cells[i].Blocks = part.Count()
		cells[i].Own = t.own.countIn(int64(part.Start), int64(part.End))
	}
	for _, s := range t.shared {
		for b := s.blocks.Start; b < s.blocks.End; {
			i := t.geometry.PartOf(b, n)
			end := min(t.geometry.Part(i, n).End, s.blocks.End)
			if cells[i].Shared == nil {
				cells[i].Shared = map[Key]int64{}
			}
			cells[i].Shared[s.segment.key] += int64(end - b)
			b = end
		}
	}
	return cells
}

// countIn is how many bits of [start, end) are set.
func (s *bitset) countIn(start, end int64) (n int64) {
	for start < end {
		page := start / bitPage
		first := page * bitPage
		stop := min(first+bitPage, end)
		switch p := &s.pages[page]; {
		case p.words == nil:
		case p.ones == bitPage || p.ones == min(bitPage, s.size-first):
			n += stop - start
		default:
			eachWord(start-first, stop-first, func(word int64, mask uint64) {
				n += int64(bits.OnesCount64(p.words[word] & mask))
			})
		}
		start = stop
	}
	return n
}
