package target

import "github.com/zsyncfs/zsyncfs/format"

// camePage is how many blocks a page of cameBlocks is about.
const camePage = 1 << 15

// cameBlocks has a bit for each block that arrived, in pages of 4 KiB that are made
// when the first of their blocks came: the first read of a large target must not
// wait for memory for all of it to be cleared.
type cameBlocks map[format.BlockID]*[camePage / 64]uint64

func (c cameBlocks) add(blocks format.BlockRange) {
	for b := blocks.Start; b < blocks.End; b++ {
		page := c[b/camePage]
		if page == nil {
			page = new([camePage / 64]uint64)
			c[b/camePage] = page
		}
		page[b%camePage/64] |= 1 << (b % 64)
	}
}

func (c cameBlocks) has(b format.BlockID) bool {
	page := c[b/camePage]
	return page != nil && page[b%camePage/64]&(1<<(b%64)) != 0
}
