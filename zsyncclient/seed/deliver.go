package seed

import (
	"sync/atomic"

	"github.com/zsyncfs/zsyncfs/format"
)

// foundBlock delivers data, found at offset at of the seed, as block id and as all
// others of the same record. It says whether any of them was missing.
func (s *scan) foundBlock(id int, data []byte, at int64) (bool, error) {
	if !s.x.isRepeated(id) {
		if !s.take(id, data) {
			return false, nil
		}
		return true, s.give(id, 1, data, at)
	}
	lo, hi := s.x.class(id)
	// A class may have millions of blocks: all are looked at once only.
	if !setBit(s.done, lo) {
		return false, nil
	}
	isNew := false
	for _, member := range s.x.single.ids[lo:hi] {
		if !s.take(int(member), data) {
			continue
		}
		isNew = true
		if err := s.give(int(member), 1, data, at); err != nil {
			return isNew, err
		}
	}
	return isNew, nil
}

// foundRun delivers n blocks from id on, whose content is data, found at offset at
// of the seed, in as few pieces as there are.
func (s *scan) foundRun(id, n int, data []byte, at int64) error {
	block := int(s.x.geometry.BlockSize)
	for i := 0; i < n; {
		taken := 0
		for i+taken < n && !s.x.isRepeated(id+i+taken) && s.take(id+i+taken, data[(i+taken)*block:(i+taken+1)*block]) {
			taken++
		}
		if taken > 0 {
			if err := s.give(id+i, taken, data[i*block:(i+taken)*block], at+int64(i*block)); err != nil {
				return err
			}
			i += taken
			continue
		}
		if _, err := s.foundBlock(id+i, data[i*block:(i+1)*block], at+int64(i*block)); err != nil {
			return err
		}
		i++
	}
	return nil
}

// foundAlone delivers those of n blocks from id on that are missing, not what has equal
// records elsewhere; their content is data, found at offset at of the seed. It returns
// how many they were.
func (s *scan) foundAlone(id, n int, data []byte, at int64) (found int, err error) {
	block := int(s.x.geometry.BlockSize)
	for i := 0; i < n; {
		taken := 0
		for i+taken < n && s.take(id+i+taken, data[(i+taken)*block:(i+taken+1)*block]) {
			taken++
		}
		if taken == 0 {
			i++
			continue
		}
		if err := s.give(id+i, taken, data[i*block:(i+taken)*block], at+int64(i*block)); err != nil {
			return found, err
		}
		i, found = i+taken, found+taken
	}
	return found, nil
}

// take takes block id, whose content is data, from the set. The target's last block
// is cut when it is delivered: what is cut off must be the zeros that its checksums
// stand for, which a control file made for it could have otherwise.
func (s *scan) take(id int, data []byte) bool {
	if id == s.x.count-1 {
		for _, c := range data[s.x.geometry.BlockLength(format.BlockID(id)):] {
			if c != 0 {
				return false
			}
		}
	}
	return s.missing.Take(format.BlockID(id))
}

// nowhere is the place of what was found without a seed.
const nowhere = -1

// give delivers count blocks from id on, which were taken from the set.
func (s *scan) give(id, count int, data []byte, at int64) error {
	g := s.x.geometry
	r := g.Bytes(format.BlockRange{Start: format.BlockID(id), End: format.BlockID(id + count)})
	if err := s.deliver(format.BlockID(id), data[:r.Length()], at); err != nil {
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

// Zeros delivers the blocks in missing that are zeros by their record: they need no
// seed. Scans begin with that, so it is for a caller that has none.
//
// Errors: deliver's, as they are.
func (x *Index) Zeros(missing *Missing, deliver Deliver) error {
	return x.newScan(0, missing, deliver, Options{}).deliverZeros()
}

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
		if err := s.give(first, n, zeros[:n*block], nowhere); err != nil {
			return err
		}
	}
	return nil
}

// setBit sets bit i; false when it was set.
func setBit(words []atomic.Uint64, i int) bool {
	return words[i>>6].Or(1<<(i&63))&(1<<(i&63)) == 0
}
