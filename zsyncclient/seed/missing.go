package seed

import (
	"iter"
	"math/bits"
	"sync/atomic"

	"github.com/zsyncfs/zsyncfs/format"
)

// Missing is the set of a target's blocks that nobody has yet. Safe for
// concurrent use: Take gives each block to exactly one caller. It takes a bit
// for each block of the target.
type Missing struct {
	words []atomic.Uint64
	size  int64
	count atomic.Int64
}

// NewMissing is the set of all count blocks.
func NewMissing(count int64) *Missing {
	count = max(count, 0)
	m := &Missing{words: make([]atomic.Uint64, (count+63)/64), size: count}
	for i := range m.words {
		m.words[i].Store(^uint64(0))
	}
	if rest := count % 64; rest != 0 {
		m.words[len(m.words)-1].Store(1<<rest - 1)
	}
	m.count.Store(count)
	return m
}

// Has says whether id is still missing; false for an id that the target has not.
func (m *Missing) Has(id format.BlockID) bool {
	return id >= 0 && int64(id) < m.size && m.words[id>>6].Load()&(1<<(id&63)) != 0
}

// Take removes id; false when it was not in the set.
func (m *Missing) Take(id format.BlockID) bool {
	// Most blocks that are asked for were taken before: only a read then.
	if !m.Has(id) || m.words[id>>6].And(^uint64(1<<(id&63)))&(1<<(id&63)) == 0 {
		return false
	}
	m.count.Add(-1)
	return true
}

// Add puts id back. An id that the target has not is ignored.
func (m *Missing) Add(id format.BlockID) {
	if id < 0 || int64(id) >= m.size {
		return
	}
	if m.words[id>>6].Or(1<<(id&63))&(1<<(id&63)) == 0 {
		m.count.Add(1)
	}
}

// Count is the number of blocks in the set.
func (m *Missing) Count() int64 { return m.count.Load() }

// Runs are the maximal runs of blocks in the set, ascending; a snapshot only
// when nobody takes or adds meanwhile.
func (m *Missing) Runs() iter.Seq[format.BlockRange] {
	return func(yield func(format.BlockRange) bool) {
		for start := m.next(0, true); start < m.size; {
			end := m.next(start, false)
			if !yield(format.BlockRange{Start: format.BlockID(start), End: format.BlockID(end)}) {
				return
			}
			start = m.next(end, true)
		}
	}
}

// TakeRuns takes those of the blocks that begin with first and have the bytes data
// (whole blocks, the target's last one cut) that are in the set, and gives each run
// of them to give, whose error ends it. The blocks of that run stay taken.
func (m *Missing) TakeRuns(g format.Geometry, first format.BlockID, data []byte, give func(run format.BlockRange, data []byte) error) error {
	for len(data) > 0 {
		taken, id := int64(0), first
		for taken < int64(len(data)) && m.Take(id) {
			taken += g.BlockLength(id)
			id++
		}
		if taken == 0 {
			skip := min(g.BlockLength(first), int64(len(data)))
			first, data = first+1, data[skip:]
			continue
		}
		if err := give(format.BlockRange{Start: first, End: id}, data[:taken]); err != nil {
			return err
		}
		first, data = id, data[taken:]
	}
	return nil
}

// Bytes is the length of the blocks in the set.
func (m *Missing) Bytes(g format.Geometry) (n int64) {
	for r := range m.Runs() {
		n += g.Bytes(r).Length()
	}
	return n
}

// next is the first block from id on that is in the set (in) or not in it; the
// number of blocks of the target when there is none.
func (m *Missing) next(id int64, in bool) int64 {
	for id < m.size {
		w := m.words[id>>6].Load()
		if !in {
			w = ^w
		}
		if w >>= id & 63; w != 0 {
			return min(id+int64(bits.TrailingZeros64(w)), m.size)
		}
		id = (id | 63) + 1
	}
	return m.size
}
