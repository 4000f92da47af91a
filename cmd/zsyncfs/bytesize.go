package main

import (
	"github.com/zsyncfs/zsyncfs/cmd/internal/bytesize"
	"github.com/zsyncfs/zsyncfs/format"
)

// byteSize is a flag's number of bytes.
type byteSize = bytesize.Size

// checkBlockSize accepts block sizes that a control file may have, and 0.
func checkBlockSize(s byteSize) error {
	if s == 0 || s >= format.MinBlockSize && s <= format.MaxBlockSize && s&(s-1) == 0 {
		return nil
	}
	return withHint(usageErrorf("block size %d cannot be used", s),
		"it must be a power of two from %d to %d", format.MinBlockSize, format.MaxBlockSize)
}
