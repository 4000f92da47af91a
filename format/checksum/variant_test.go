package checksum

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkVariant holds all kernels of v against the scalar code on data.
func checkVariant(t *testing.T, v variant, data []byte, blockSize int) {
	t.Helper()
	for s := range SHA224 {
		got := sumBlocks(v, s, []byte("before"), data, blockSize)
		if want := sumScalar(s, []byte("before"), data, blockSize); !bytes.Equal(got, want) {
			t.Fatalf("%v of %d bytes in blocks of %d: %v differs", s, len(data), blockSize, v)
		}
	}
	if got, want := rsumOf(v, data), rsumScalar(data); got != want {
		t.Fatalf("rsum of %d bytes: %v gives %v, want %v", len(data), v, got, want)
	}
	got := rsumBlocks(v, nil, data, blockSize)
	if want := rsumBlocks(scalar, nil, data, blockSize); !bytes.Equal(got, want) {
		t.Fatalf("rsums of %d bytes in blocks of %d: %v differs", len(data), blockSize, v)
	}
}

// checkOffsets does so for the rsum at every offset. dst is of the right length.
func checkOffsets(t *testing.T, v variant, dst []uint32, data []byte, shift uint) {
	t.Helper()
	size := 1 << shift
	first := rsumScalar(data[:size])
	rsumOffsets(v, dst, data, shift, first)
	want := make([]uint32, len(dst))
	want[0] = first.Uint32()
	rollScalar(want[1:], data[:len(dst)-1], data[size:], shift, first)
	if !slices.Equal(dst, want) {
		t.Fatalf("%d offsets, shift %d: %v differs", len(dst), shift, v)
	}
}

func TestVariants(t *testing.T) {
	const guard = 0x12345678
	data := append(bytes.Repeat([]byte{0xff}, 1<<18), randomBytes(1<<18)...)
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, v := range variants() {
		for _, blockSize := range []int{1, 63, 64, 128, 512, 576, 4096, 2*laneStep + 64} {
			for range 3 {
				n := rnd.IntN(min(len(data)/2, 70*blockSize))
				at := rnd.IntN(len(data) - n)
				checkVariant(t, v, data[at:at+n:at+n], blockSize)
			}
			for blocks := range min(maxLanes+3, len(data)/blockSize) {
				checkVariant(t, v, data[len(data)-blocks*blockSize:], blockSize)
			}
		}
		for range 50 {
			shift := uint(rnd.IntN(17))
			n := 1 + rnd.IntN(3*offsetsStep>>rnd.IntN(12))
			at := rnd.IntN(len(data) - n - 1<<shift)
			dst := make([]uint32, n+2)
			dst[0], dst[n+1] = guard, guard
			checkOffsets(t, v, dst[1:n+1], data[at:at+n-1+1<<shift], shift)
			if dst[0] != guard || dst[n+1] != guard {
				t.Fatalf("%v wrote beyond %d offsets", v, n)
			}
		}
	}
}

func TestRsumOfLongBlock(t *testing.T) {
	data := bytes.Repeat(randomBytes(1<<16), 9)
	for _, v := range variants() {
		checkVariant(t, v, data, 1<<18)
	}
}

func FuzzVariants(f *testing.F) {
	f.Add(randomBytes(700), uint16(64), uint8(4))
	f.Add(bytes.Repeat([]byte{0xff}, 1000), uint16(128), uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, blockSize uint16, shift uint8) {
		size := 1 << (shift % 16)
		for _, v := range variants() {
			if blockSize > 0 && len(data) < 100*int(blockSize) {
				checkVariant(t, v, data, int(blockSize))
			}
			if len(data) >= size {
				checkOffsets(t, v, make([]uint32, len(data)-size+1), data, uint(shift%16))
			}
		}
	})
}
