package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/zsyncfs/zsyncfs/format"
)

// byteSize is a flag's number of bytes, with an optional suffix K, M, G or T
// (powers of 1024).
type byteSize int64

func (s *byteSize) String() string {
	if *s == 0 {
		return "" // so that help shows no default
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type is the placeholder in the help.
func (s *byteSize) Type() string { return "SIZE" }

// Set reads "4096", "4K", "4k" and "4KiB".
func (s *byteSize) Set(text string) error {
	digits := strings.TrimRight(strings.ToUpper(text), "IB")
	shift := 0
	if n := len(digits); n > 0 {
		if i := strings.IndexByte("KMGT", digits[n-1]); i >= 0 {
			digits, shift = digits[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)>>shift {
		return fmt.Errorf("%q is not a number of bytes such as 4096 or 64K", text)
	}
	*s = byteSize(n << shift)
	return nil
}

// checkBlockSize accepts block sizes that a control file may have, and 0.
func checkBlockSize(s byteSize) error {
	if s == 0 || s >= format.MinBlockSize && s <= format.MaxBlockSize && s&(s-1) == 0 {
		return nil
	}
	return withHint(usageErrorf("block size %d cannot be used", s),
		"it must be a power of two from %d to %d", format.MinBlockSize, format.MaxBlockSize)
}
