package checksum

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fenced gives n bytes with a page before and after them that cannot be
// accessed; they touch the one after. n is a number of whole pages.
func fenced(t *testing.T, n int) []byte {
	page := os.Getpagesize()
	m, err := unix.Mmap(-1, 0, n+2*page, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Skipf("no pages: %v", err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	data := m[page : page+n : page+n]
	if err := unix.Mprotect(data, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPageEnds would crash if a kernel read or wrote beyond what it was given.
func TestPageEnds(t *testing.T) {
	n := max(64<<10, os.Getpagesize())
	data, results := fenced(t, n), fenced(t, n)
	copy(data, randomBytes(n))
	dst := unsafe.Slice((*uint32)(unsafe.Pointer(&results[0])), n/4)
	for _, v := range variants() {
		for _, blockSize := range []int{64, 512, 2048} {
			for _, blocks := range []int{1, 2, 3, 16, 17, 32} {
				checkVariant(t, v, data[:blocks*blockSize], blockSize)
				checkVariant(t, v, data[n-blocks*blockSize:], blockSize)
				checkVariant(t, v, data[n-blocks*blockSize+1:], blockSize)
			}
		}
		for _, shift := range []uint{0, 3, 9, 12} {
			for _, count := range []int{1, 15, 64, 65, 100, 129, 1000} {
				size := count - 1 + 1<<shift
				checkOffsets(t, v, dst[len(dst)-count:], data[n-size:], shift)
				checkOffsets(t, v, dst[:count], data[:size], shift)
			}
		}
	}
}
