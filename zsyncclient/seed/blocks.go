package seed

// Blocks are the ids of the target's blocks that have this record, ascending. record
// is as long as the target's records are. The slice must not be changed. Safe for
// concurrent use.
func (x *Index) Blocks(record []byte) []uint32 {
	if len(record) != x.recordSize() {
		return nil
	}
	var rsum uint32
	for _, c := range record[:x.rsum] {
		rsum = rsum<<8 | uint32(c)
	}
	lo, hi := x.single.lookup(uint64(rsum), x.singleKey)
	if lo == hi {
		return nil
	}
	lo, hi = x.narrow(x.single, lo, hi, record[x.rsum:], 0)
	return x.single.ids[lo:hi]
}
