package checksum

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"
	"testing"

	//lint:ignore SA1019 the format names MD4, and what trust it deserves is decided by its users
	"golang.org/x/crypto/md4"
)

func randomBytes(n int) []byte {
	src := rand.NewChaCha8([32]byte{2})
	data := make([]byte, n)
	src.Read(data)
	return data
}

func TestStrong(t *testing.T) {
	// Digests of "abc" as the algorithms' own papers give them.
	tests := []struct {
		strong Strong
		name   string
		abc    string
		new    func() hash.Hash
	}{
		{MD4, "MD4", "a448017aaf21d8525fc10ae87aa6729d", md4.New},
		{MD5, "MD5", "900150983cd24fb0d6963f7d28e17f72", md5.New},
		{SHA224, "SHA-224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7", sha256.New224},
	}
	data := randomBytes(300 * 512)
	for _, test := range tests {
		parsed, ok := ParseStrong(test.name)
		if !ok || parsed != test.strong || test.strong.String() != test.name || !test.strong.Valid() {
			t.Errorf("%s: parsed as %v", test.name, parsed)
		}
		if got := hex.EncodeToString(test.strong.SumBlocks(nil, []byte("abc"), 3)); got != test.abc {
			t.Errorf("%s of abc is %s", test.name, got)
		}
		for _, n := range []int{0, 1, 511, 512, 513, 8*512 + 1, 33 * 512, len(data)} {
			for _, block := range []int{64, 512, 8192} {
				var want []byte
				for at := 0; at < n; at += block {
					padded := make([]byte, block)
					copy(padded, data[at:min(at+block, n)])
					h := test.new()
					h.Write(padded)
					want = h.Sum(want)
				}
				got := test.strong.SumBlocks([]byte("before"), data[:n], block)
				if !bytes.Equal(got, append([]byte("before"), want...)) || len(want)%test.strong.Size() != 0 {
					t.Errorf("%s of %d bytes in blocks of %d", test.name, n, block)
				}
			}
		}
	}
	if _, ok := ParseStrong("SHA-512"); ok || Strong(3).Valid() || Strong(-1).String() != "Strong(-1)" {
		t.Error("an unknown algorithm is known")
	}
}

func TestSumBlocksTakesNoMemory(t *testing.T) {
	data := randomBytes(64*2048 + 100)
	for s := MD4; s.Valid(); s++ {
		dst := make([]byte, 0, 65*s.Size())
		if n := testing.AllocsPerRun(20, func() { s.SumBlocks(dst, data, 2048) }); n > 1 {
			t.Errorf("%v: %v allocations for 65 blocks", s, n)
		}
	}
}

// slowRsum is the definition.
func slowRsum(block []byte, size int) (r Rsum) {
	for i, x := range block {
		r.A += uint16(x)
		r.B += uint16(size-i) * uint16(x)
	}
	return r
}

func TestRsum(t *testing.T) {
	data := append(bytes.Repeat([]byte{0xff}, 1<<17), randomBytes(1<<17)...)
	for _, block := range []int{1, 2, 16, 512, 4096, 1 << 17, 1 << 18} {
		for _, n := range []int{0, 1, 3, 7, 8, 9, 15, 100, block} {
			if n = min(n, block); RsumBlock(data[:n], block) != slowRsum(data[:n], block) {
				t.Errorf("%d bytes of a block of %d", n, block)
			}
		}
	}
	var want []byte
	for at := 0; at < 1000; at += 512 {
		v := slowRsum(data[1<<17+at:1<<17+min(at+512, 1000)], 512).Uint32()
		want = append(want, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	if got := RsumBlocks(nil, data[1<<17:1<<17+1000], 512); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestRsumRoll(t *testing.T) {
	data := randomBytes(3000)
	for shift := uint(0); shift < 11; shift++ {
		size := 1 << shift
		r := RsumBlock(data[:size], size)
		for i := 0; i+size < len(data); i++ {
			r = r.Roll(data[i], data[i+size], shift)
			if want := slowRsum(data[i+1:i+1+size], size); r != want {
				t.Fatalf("block of %d at %d: %v, want %v", size, i+1, r, want)
			}
		}
	}
	// The shift of a block of 16 MiB is larger than a sum has bits.
	if r := (Rsum{}).Roll(5, 7, 24); r != (Rsum{A: 2, B: 2}) {
		t.Errorf("got %v", r)
	}
}

func TestTargetSums(t *testing.T) {
	data := randomBytes(5<<20 + 777)
	sha1Sum, sha256Sum := sha1.Sum(data), sha256.Sum256(data)
	for _, step := range []int{100_000, 1 << 20, 3 << 20, len(data)} {
		for _, block := range []int{512, 4096, 2 << 20} {
			sums := NewTargetSums(MD5, block, SHA1, SHA256)
			for at := 0; at < len(data); at += step {
				sums.Write(data[at:min(at+step, len(data))])
			}
			sums.Finish()
			if !bytes.Equal(sums.Digest(SHA1), sha1Sum[:]) || !bytes.Equal(sums.Digest(SHA256), sha256Sum[:]) {
				t.Errorf("step %d, block %d: wrong digest", step, block)
			}
			got := slices.Concat(slices.Collect(sums.Records())...)
			rsums, strongs := RsumBlocks(nil, data, block), MD5.SumBlocks(nil, data, block)
			if len(got) != len(rsums)+len(strongs) {
				t.Fatalf("step %d, block %d: %d bytes of records", step, block, len(got))
			}
			for i := range len(rsums) / 4 {
				want := append(slices.Clone(rsums[4*i:4*i+4]), strongs[16*i:16*i+16]...)
				if !bytes.Equal(got[20*i:20*i+20], want) {
					t.Fatalf("step %d, block %d: record %d is wrong", step, block, i)
				}
			}
		}
	}
}

func TestDigests(t *testing.T) {
	data := randomBytes(1 << 20)
	want := sha256.Sum256(data)
	d := NewDigests(SHA256)
	d.Write(data[:1000])
	d.Write(data[1000:])
	if !bytes.Equal(d.Sum(SHA256), want[:]) || d.Sum(SHA1) != nil || SHA1.Size() != 20 || SHA256.Size() != 32 {
		t.Errorf("got %x", d.Sum(SHA256))
	}
	NewDigests().Write(data)
}

func BenchmarkSumBlocks(b *testing.B) {
	data := randomBytes(512 << 10)
	for s := MD4; s.Valid(); s++ {
		for _, v := range variants() {
			if v != scalar && v.lanes(s) == 0 {
				continue
			}
			for _, block := range []int{512, 2048, 4096} {
				b.Run(fmt.Sprintf("%v/%v/%d", s, v, block), func(b *testing.B) {
					dst := make([]byte, 0, len(data)/block*s.Size())
					b.SetBytes(int64(len(data)))
					b.ReportAllocs()
					for b.Loop() {
						sumBlocks(v, s, dst, data, block)
					}
				})
			}
		}
	}
}

// BenchmarkSumFewBlocks shows from how many blocks on a kernel pays.
func BenchmarkSumFewBlocks(b *testing.B) {
	data := randomBytes(16 << 12)
	for s := range SHA224 {
		for _, v := range variants() {
			for _, count := range []int{1, 2, 3, 16} {
				b.Run(fmt.Sprintf("%v/%v/%d", s, v, count), func(b *testing.B) {
					var dst [16 * 16]byte
					b.SetBytes(int64(count << 12))
					for b.Loop() {
						sumBlocks(v, s, dst[:0], data[:count<<12], 1<<12)
					}
				})
			}
		}
	}
}

func BenchmarkRsumBlocks(b *testing.B) {
	data := randomBytes(512 << 10)
	for _, v := range variants() {
		for _, block := range []int{512, 4096} {
			b.Run(fmt.Sprintf("%v/%d", v, block), func(b *testing.B) {
				dst := make([]byte, 0, 4*len(data)/block)
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					rsumBlocks(v, dst, data, block)
				}
			})
		}
	}
}

func BenchmarkRsumRoll(b *testing.B) {
	data := randomBytes(1 << 20)
	b.SetBytes(int64(len(data) - 4096))
	var r Rsum
	for b.Loop() {
		for i := 0; i+4096 < len(data); i++ {
			r = r.Roll(data[i], data[i+4096], 12)
		}
	}
	_ = r
}

func BenchmarkTargetSums(b *testing.B) {
	data := randomBytes(16 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		sums := NewTargetSums(MD4, 4096, SHA1, SHA256)
		sums.Write(data)
		sums.Finish()
	}
}
