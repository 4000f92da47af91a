package format

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// randomBytes are n bytes that do not repeat.
func randomBytes(n int) []byte {
	src := rand.NewChaCha8([32]byte{1})
	data := make([]byte, n)
	src.Read(data)
	return data
}

// build is the header and the records of target.
func build(t testing.TB, target []byte, o BuilderOptions) (*Header, []byte) {
	t.Helper()
	b, err := NewBuilder(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(target)
	var out bytes.Buffer
	if _, err := b.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	h, err := read(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return h, out.Bytes()[h.Size:]
}

func TestVerifyBlocks(t *testing.T) {
	const size = 512
	target := randomBytes(100*size + 7)
	for strong := checksum.MD4; strong.Valid(); strong++ {
		h, records := build(t, target, BuilderOptions{BlockSize: size, Strong: strong})
		record := int(h.RecordSize())
		damaged := func(at int) []byte {
			data := bytes.Clone(target)
			data[at] ^= 1
			return data
		}
		tests := []struct {
			name          string
			first         BlockID
			data, records []byte
			want          int
		}{
			{"all", 0, target, records, 101},
			{"more bytes than the target", 0, append(bytes.Clone(target), 1, 2, 3), records, 101},
			{"more records", 0, target, append(bytes.Clone(records), records...), 101},
			{"middle", 50, target[50*size : 60*size], records[50*record:], 10},
			{"tail", 99, target[99*size:], records[99*record:], 2},
			{"last", 100, target[100*size:], records[100*record:], 1},
			{"last cut", 100, target[100*size : 100*size+6], records[100*record:], 0},
			{"part of a block", 0, target[:3*size+1], records, 3},
			{"fewer records", 0, target, records[:10*record+record-1], 10},
			{"first byte wrong", 0, damaged(0), records, 0},
			{"in a later batch", 0, damaged(70*size + 9), records, 70},
			{"last byte wrong", 0, damaged(len(target) - 1), records, 100},
			{"wrong place", 0, target[size:], records, 0},
			{"nothing", 0, nil, records, 0},
			{"no records", 0, target, nil, 0},
			{"before the target", -1, target, records, 0},
			{"past the target", 101, target, records, 0},
			{"far past the target", 1 << 62, target, records, 0},
		}
		for _, test := range tests {
			if got := h.VerifyBlocks(test.first, test.data, test.records); got != test.want {
				t.Errorf("%v, %s: %d blocks, want %d", strong, test.name, got, test.want)
			}
		}
	}
	if got := new(Header).VerifyBlocks(0, target, target); got != 0 {
		t.Errorf("zero Header: %d", got)
	}
}

func TestVerifyBlocksTakesNoMemory(t *testing.T) {
	target := randomBytes(64 * 2048)
	h, records := build(t, target, BuilderOptions{})
	if n := testing.AllocsPerRun(20, func() { h.VerifyBlocks(0, target, records) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestRecordsOfEveryLength(t *testing.T) {
	target := golden(t, "text.dat")
	full := checksum.RsumBlock(target[:2048], 2048).Uint32()
	want := []uint32{1: full & 0xff, 2: full & 0xffff, 3: full & 0xffffff, 4: full}
	for r := MinRsumLength; r <= MaxRsumLength; r++ {
		for _, c := range []int{3, 5, 16} {
			lengths := Lengths{1, r, c}
			h, records := build(t, target, BuilderOptions{Lengths: func(int64, int64) Lengths { return lengths }})
			view := h.Records(records)
			if view.Count() != 30 || view.Rsum(0) != want[r] || view.Rsum(0) != full&h.RsumMask() || len(view.Strong(29)) != c {
				t.Errorf("%v: %d records, rsum %08x, want %08x", lengths, view.Count(), view.Rsum(0), want[r])
			}
			if got := h.VerifyBlocks(0, target, records); got != 30 {
				t.Errorf("%v: %d blocks match", lengths, got)
			}
		}
	}
}

func TestFileVerifier(t *testing.T) {
	target := golden(t, "text.dat")
	sha1 := FileHash{"SHA-1", unhex(textSHA1)}
	sha256 := FileHash{"SHA-256", unhex(textSHA256)}
	bad := func(f FileHash) FileHash {
		f.Digest = bytes.Clone(f.Digest)
		f.Digest[0] ^= 1
		return f
	}
	check := func(hashes []FileHash, data []byte) error {
		h := &Header{Length: int64(len(target)), FileHashes: hashes}
		v := h.NewFileVerifier()
		for len(data) > 0 {
			n := min(len(data), 7001)
			v.Write(data[:n])
			data = data[n:]
		}
		return v.Check()
	}
	tests := []struct {
		name   string
		hashes []FileHash
		data   []byte
		want   string // the algorithm in a FileHashError
		is     error
	}{
		{"SHA-1", []FileHash{sha1}, target, "", nil},
		{"SHA-256", []FileHash{sha256}, target, "", nil},
		{"both", []FileHash{sha256, sha1}, target, "", nil},
		{"SHA-1 wrong", []FileHash{sha256, bad(sha1)}, target, "SHA-1", nil},
		{"SHA-256 wrong", []FileHash{sha1, bad(sha256)}, target, "SHA-256", nil},
		{"unknown algorithm", []FileHash{sha1, {"BLAKE3", make([]byte, 32)}}, target, "BLAKE3", nil},
		{"none", nil, target, "", ErrNoFileHash},
		{"short", []FileHash{sha1}, target[1:], "", ErrLength},
		{"long", []FileHash{sha1}, append(bytes.Clone(target), 0), "", ErrLength},
		{"nothing", nil, nil, "", ErrLength},
	}
	for _, test := range tests {
		err := check(test.hashes, test.data)
		var mismatch *FileHashError
		switch {
		case test.want != "":
			if !errors.As(err, &mismatch) || mismatch.Algorithm != test.want || bytes.Equal(mismatch.Want, mismatch.Got) {
				t.Errorf("%s: %v", test.name, err)
			}
		case !errors.Is(err, test.is):
			t.Errorf("%s: %v, want %v", test.name, err, test.is)
		}
	}
}

func BenchmarkVerifyBlocks(b *testing.B) {
	target := randomBytes(8 << 20)
	h, records := build(b, target, BuilderOptions{BlockSize: 4096})
	b.SetBytes(int64(len(target)))
	for b.Loop() {
		h.VerifyBlocks(0, target, records)
	}
}
