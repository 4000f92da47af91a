package seed

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// randomSums are n rsums that nothing else has.
func randomSums(seed byte, n int) []uint32 {
	raw := randomBytes(seed, 4*n)
	sums := make([]uint32, n)
	for i := range sums {
		sums[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	return sums
}

// TestNear holds the kernels against the scalar code, for every length and fill.
func TestNear(t *testing.T) {
	if !nearLanes {
		t.Skip("no kernel here")
	}
	was := wideLanes
	t.Cleanup(func() { wideLanes = was })
	testNear(t)
	if was {
		wideLanes = false
		testNear(t)
	}
}

func testNear(t *testing.T) {
	sums := randomSums(1, 4000)
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
			for _, length := range []int{0, 1, 31, 32, 33, 63, 64, 65, 1000, rand.IntN(1000), rand.IntN(1000)} {
				lo, hi := sums[:length], sums[1000:][:length]
				for _, second := range [][]uint32{hi, nil} {
					got, want := make([]uint32, length+1), make([]uint32, length)
					got[length] = 12345
					found := n.hits(got[:length], lo, second, mask)
					factor := uint32(factorHi)
					if second == nil {
						second, factor = lo, 0
					}
					want = want[:nearScalar(n.words, want, lo, second, mask, factor)]
					if !slices.Equal(got[:found], want) {
						t.Fatalf("%d keys, mask %x, %d sums: %v, want %v", keys, mask, length, got[:found], want)
					}
					if got[length] != 12345 {
						t.Fatalf("wrote beyond %d sums", length)
					}
					if length > 0 && (len(want) == 0 || want[0] != 0) {
						t.Fatalf("%d keys, mask %x: what was added is not found", keys, mask)
					}
				}
			}
		}
	}
}

// TestRoll holds the kernel that rolls rsums against looking them up one after the
// other, for every length, block size, mask and fill; some data have large sums.
func TestRoll(t *testing.T) {
	was := rollLanes
	t.Cleanup(func() { rollLanes = was })
	random := randomBytes(2, 1<<18)
	large := append(constant(0xff, 1<<17), randomBytes(3, 1<<17)...)
	for _, rollLanes = range []bool{false, was} {
		for _, keys := range []int64{0, 100, 20000} {
			for _, mask := range []uint32{1<<8 - 1, 1<<24 - 1, 1<<32 - 1} {
				for shift := uint(0); shift < 18; shift++ {
					testRoll(t, random, keys, mask, shift)
					testRoll(t, large[rand.IntN(1<<10):], keys, mask, shift)
				}
			}
		}
	}
}

func testRoll(t *testing.T, data []byte, keys int64, mask uint32, shift uint) {
	t.Helper()
	n, sums := newNear(keys), make([]uint32, 4000)
	for i := range keys {
		n.add(uint32(i)*2654435761&mask, 0)
	}
	for range 4 {
		checksum.RsumOffsets(sums, data, shift)
		for i := 0; i < len(sums); i += 1 + rand.IntN(9) {
			n.add(sums[i]&mask, 0)
		}
		for _, length := range []int{0, 1, 2, 32, 33, 34, 64, 65, 66, 1000, rand.IntN(4000)} {
			got, keys, want := make([]uint32, length+1), make([]uint32, length+1), make([]uint32, length)
			got[length], keys[length] = 12345, 54321
			found := n.roll(got[:length], keys[:length], data[:max(length-1+1<<shift, 0)], shift, mask)
			want = want[:nearScalar(n.words, want, sums[:length], sums, mask, 0)]
			if !slices.Equal(got[:found], want) {
				t.Fatalf("kernel %v, shift %d, mask %x, %d offsets: %v, want %v", rollLanes, shift, mask, length, got[:found], want)
			}
			for i, at := range want {
				if keys[i] != sums[at]&mask {
					t.Fatalf("kernel %v, shift %d, offset %d: key %x, want %x", rollLanes, shift, at, keys[i], sums[at]&mask)
				}
			}
			if got[length] != 12345 || keys[length] != 54321 {
				t.Fatalf("wrote beyond %d offsets", length)
			}
		}
		data = data[5000:]
	}
}

// TestHalvedHits: of pairs at some distance all that were added are found, wherever
// the windows end, in order, once, and hardly any others.
func TestHalvedHits(t *testing.T) {
	const half = 1<<24 - 1
	for range 2000 {
		distance, length := 1+rand.IntN(100), rand.IntN(500)
		sums := randomSums(byte(distance), length+distance)
		lo, hi := sums[:length], sums[distance:]
		f, want := newFilter(100), []uint32{}
		f.halves = true
		for i := range length {
			if rand.IntN(5) == 0 {
				f.add(uint64(lo[i]&half)<<32|uint64(hi[i]&half), true)
				want = append(want, uint32(i))
			}
		}
		got := make([]uint32, length)
		n, tried := f.hits(got, make([]uint32, distance), lo, hi, distance, half<<32|half)
		got = got[:n]
		if tried < n {
			t.Fatalf("%d of %d tried ones", n, tried)
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != n {
			t.Fatalf("not in order: %v", got)
		}
		found := slices.DeleteFunc(slices.Clone(got), func(i uint32) bool { return !slices.Contains(want, i) })
		if !slices.Equal(found, want) {
			t.Fatalf("%d offsets, distance %d: %v, want %v", length, distance, got, want)
		}
		if n-len(want) > 10 {
			t.Fatalf("%d of %d by chance", n-len(want), length)
		}
	}
}
