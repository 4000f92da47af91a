package checksum

import (
	"bytes"
	"fmt"
	"testing"
)

func TestRsumOffsets(t *testing.T) {
	data := randomBytes(1 << 15)
	t.Cleanup(func() { best = variants()[len(variants())-1] })
	for _, best = range variants() {
		testRsumOffsets(t, data)
	}
}

func testRsumOffsets(t *testing.T, data []byte) {
	for shift := uint(0); shift < 15; shift++ {
		size := 1 << shift
		for _, n := range []int{0, 1, 2, 3, 33, 64, 65, 66, 79, 97, 129, 1000, 3001} {
			if n*size > 4<<20 {
				continue // the definition is slow
			}
			dst := make([]uint32, n+1)
			dst[n] = 12345
			RsumOffsets(dst[:n], data[5:5+max(n-1+size, 0)], shift)
			if n > 2 {
				// The same in two calls.
				next := rsumOfUint32(dst[n/2-1]).Roll(data[5+n/2-1], data[5+n/2-1+size], shift)
				rsumOffsets(best, dst[n/2:n], data[5+n/2:], shift, next)
			}
			for i, got := range dst[:n] {
				if want := slowRsum(data[5+i:5+i+size], size).Uint32(); got != want {
					t.Fatalf("%v: block of %d at %d of %d: %x, want %x", best, size, i, n, got, want)
				}
			}
			if dst[n] != 12345 {
				t.Fatalf("wrote beyond %d offsets", n)
			}
		}
	}
}

// TestRollScalar has sums that get less than nothing, and shifts that leave no bit.
func TestRollScalar(t *testing.T) {
	low, high := make([]byte, 3000), bytes.Repeat([]byte{0xff}, 3000)
	for _, shift := range []uint{0, 1, 15, 16, 17, 30} {
		for _, pair := range [][2][]byte{{low, high}, {high, low}, {high, high}} {
			out, in, dst := pair[0], pair[1], make([]uint32, len(low))
			r := Rsum{A: 1, B: 2}
			rollScalar(dst, out, in, shift, r)
			for i, got := range dst {
				if r = r.Roll(out[i], in[i], shift); got != r.Uint32() {
					t.Fatalf("shift %d, step %d: %x, want %x", shift, i, got, r.Uint32())
				}
			}
		}
	}
}

func BenchmarkRsumOffsets(b *testing.B) {
	data := randomBytes(1<<16 + 4096)
	for _, v := range variants() {
		for _, n := range []int{64, 1 << 10, 8 << 10, 64 << 10} {
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
