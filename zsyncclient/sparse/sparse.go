package sparse

import "os"

// Next is the first extent of f at or after off, cut at off and at size: the bytes
// of [off, start) are zeros, or beyond the end of f. start and end are size when
// there is none. A file system that does not tell, and any error, make all of
// [off, size) an extent. 0 <= off <= size. Safe for concurrent use with all that
// does not rely on f's own offset, which it moves.
func Next(f *os.File, off, size int64) (start, end int64) {
	if off >= size {
		return size, size
	}
	start, end, ok := next(f, off)
	if !ok || start < off || end <= start {
		return off, size
	}
	return min(start, size), min(end, size)
}

// Empty says whether [start, end) of f, which is size bytes long, has no extent.
func Empty(f *os.File, start, end, size int64) bool {
	data, _ := Next(f, start, size)
	return data >= end
}
