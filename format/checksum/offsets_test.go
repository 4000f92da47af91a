package checksum

import (
	"fmt"
	"testing"
)

func TestRsumOffsets(t *testing.T) {
	data := randomBytes(1 << 15)
	for shift := uint(0); shift < 15; shift++ {
		size := 1 << shift
		for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 31, 33, 1000} {
			dst := make([]uint32, n+1)
			dst[n] = 12345
			RsumOffsets(dst[:n], data[5:5+max(n-1+size, 0)], shift)
			for i, got := range dst[:n] {
				if want := slowRsum(data[5+i:5+i+size], size).Uint32(); got != want {
					t.Fatalf("block of %d at %d of %d: %x, want %x", size, i, n, got, want)
				}
			}
			if dst[n] != 12345 {
				t.Fatalf("wrote beyond %d offsets", n)
			}
		}
	}
}

func BenchmarkRsumOffsets(b *testing.B) {
	data := randomBytes(1<<16 + 4096)
	for _, v := range variants() {
		for _, n := range []int{128, 1024, 8 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%v/%d", v, n), func(b *testing.B) {
				dst := make([]uint32, n)
				first := rsumOf(v, data[:4096])
				b.SetBytes(int64(n))
				for b.Loop() {
					rsumOffsets(v, dst, data, 12, first)
				}
			})
		}
	}
}
