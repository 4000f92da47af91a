package seed

import (
	"encoding/binary"
	"slices"
	"testing"
)

// TestNear holds the kernel against the scalar code, for every length and fill.
func TestNear(t *testing.T) {
	if !nearLanes {
		t.Skip("no kernel here")
	}
	raw := randomBytes(1, 4*4000)
	sums := make([]uint32, len(raw)/4)
	for i := range sums {
		sums[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	for _, keys := range []int64{0, 100, 20000, 1 << 20} {
		for _, mask := range []uint32{1<<8 - 1, 1<<24 - 1, 1<<32 - 1} {
			n := newNear(keys)
			for i := range keys {
				n.add(uint32(i)*2654435761&mask, uint32(i)*40503&mask)
			}
			for i := 0; i < 1000; i += 3 {
				n.add(sums[i]&mask, sums[i+1000]&mask)
				n.add(sums[i]&mask, 0)
			}
			for _, length := range []int{0, 1, 15, 16, 17, 100, 1000} {
				lo, hi := sums[:length], sums[1000:][:length]
				for _, second := range [][]uint32{hi, nil} {
					got, want := make([]uint32, length), make([]uint32, length)
					got = got[:n.hits(got, lo, second, mask)]
					factor := uint32(factorHi)
					if second == nil {
						second, factor = lo, 0
					}
					want = want[:nearScalar(n.words, want, lo, second, mask, factor, n.shift)]
					if !slices.Equal(got, want) {
						t.Fatalf("%d keys, mask %x, %d sums: %v, want %v", keys, mask, length, got, want)
					}
					if length > 0 && (len(want) == 0 || want[0] != 0) {
						t.Fatalf("%d keys, mask %x: what was added is not found", keys, mask)
					}
				}
			}
		}
	}
}
