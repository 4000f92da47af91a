package seed

import (
	"sync/atomic"

	"github.com/zsyncfs/zsyncfs/format"
)

// found delivers data as block id and as all others of the same record.
func (s *scan) foundBlock(id int, data []byte) error {
	if !s.x.isRepeated(id) {
		if !s.missing.Take(format.BlockID(id)) {
			return nil
		}
		return s.give(id, 1, data)
	}
	lo, hi := s.x.class(id)
	if !setBit(s.done, lo) {
		return nil
	}
	for _, member := range s.x.single.ids[lo:hi] {
		if !s.missing.Take(format.BlockID(member)) {
			continue
		}
		if err := s.give(int(member), 1, data); err != nil {
			return err
		}
	}
	return nil
}

// give delivers count blocks from id on, which were taken from the set.
func (s *scan) give(id, count int, data []byte) error {
	g := s.x.geometry
	r := g.Bytes(format.BlockRange{Start: format.BlockID(id), End: format.BlockID(id + count)})
	if err := s.deliver(format.BlockID(id), data[:r.Length()]); err != nil {
		for i := range count {
			s.missing.Add(format.BlockID(id + i))
		}
		return err
	}
	s.found.Add(r.Length())
	return nil
}

// zeroBatch is how many bytes of zeros are delivered at a time.
const zeroBatch = 1 << 20

// deliverZeros delivers the blocks that are known to be zeros by their record.
func (s *scan) deliverZeros() error {
	if s.x.zero < 0 {
		return nil
	}
	lo, hi := s.x.class(s.x.zero)
	if !setBit(s.done, lo) {
		return nil
	}
	ids := s.x.single.ids[lo:hi]
	var zeros []byte
	block := int(s.x.geometry.BlockSize)
	most := max(zeroBatch/block, 1)
	for i := 0; i < len(ids); {
		first, n := int(ids[i]), 0
		for i < len(ids) && n < most && int(ids[i]) == first+n && s.missing.Take(format.BlockID(ids[i])) {
			i, n = i+1, n+1
		}
		if n == 0 {
			i++
			continue
		}
		if zeros == nil {
			zeros = make([]byte, most*block)
		}
		if err := s.give(first, n, zeros[:n*block]); err != nil {
			return err
		}
	}
	return nil
}

// setBit sets bit i; false when it was set.
func setBit(words []atomic.Uint64, i int) bool {
	return words[i>>6].Or(1<<(i&63))&(1<<(i&63)) == 0
}
