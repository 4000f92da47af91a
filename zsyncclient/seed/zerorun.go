package seed

import "bytes"

var zeroPage [4 << 10]byte

// zeroOffsets is how many offsets of the window, from at on and below n, have
// nothing but zeros in the bytes that a look-up takes. There is nothing to be found
// at them: blocks of zeros are delivered before a seed is read. Images of disks have
// gigabytes of them. 0 unless it is at least a batch.
func (w *worker) zeroOffsets(at, n int) int {
	p := w.buf[at : n+w.s.reach-1]
	if len(p) < len(zeroPage) || !bytes.Equal(p[:len(zeroPage)], zeroPage[:]) {
		return 0
	}
	end := len(zeroPage)
	for end+len(zeroPage) <= len(p) && bytes.Equal(p[end:end+len(zeroPage)], zeroPage[:]) {
		end += len(zeroPage)
	}
	for end < len(p) && p[end] == 0 {
		end++
	}
	if offsets := end - w.s.reach + 1; offsets >= min(w.batch, n-at) {
		return offsets
	}
	return 0
}
