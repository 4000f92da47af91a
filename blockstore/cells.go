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
	start := func(i int) int64 { return t.blocks * int64(i) / int64(n) }
	for i := range cells {
		cells[i].Blocks = start(i+1) - start(i)
		cells[i].Own = t.own.countIn(start(i), start(i+1))
	}
	for _, s := range t.shared {
		for b := int64(s.blocks.Start); b < int64(s.blocks.End); {
			i := cellOf(b, t.blocks, n)
			end := min(start(i+1), int64(s.blocks.End))
			if cells[i].Shared == nil {
				cells[i].Shared = map[Key]int64{}
			}
			cells[i].Shared[s.segment.key] += end - b
			b = end
		}
	}
	return cells
}

// cellOf is the cell that block b is in, of n that all blocks are divided into.
func cellOf(b, blocks int64, n int) int {
	i := int(b * int64(n) / blocks)
	for i+1 < n && blocks*int64(i+1)/int64(n) <= b {
		i++
	}
	return i
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
