package forged

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// TestFit: every candidate has the rsum that is wanted, whichever that is.
func TestFit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	out, other := make([]byte, BlockSize), make([]byte, BlockSize)
	targets := []checksum.Rsum{{}, {A: 1}, {B: 1}, {A: 0xffff, B: 0xffff}, {A: 0x8000, B: 0x7fff}, {B: 0x8000}}
	for range 20_000 {
		targets = append(targets, checksum.Rsum{A: uint16(rng.Uint32()), B: uint16(rng.Uint32())})
	}
	for i, want := range targets {
		fit(out, uint64(i), want)
		if got := checksum.RsumBlock(out, BlockSize); got != want {
			t.Fatalf("the rsum is %v, want %v", got, want)
		}
		fit(other, uint64(i)+1, want)
		if bytes.Equal(out, other) {
			t.Fatal("two numbers make the same candidate")
		}
	}
}

// TestTarget: the forged block is another, and has the same record as far as it is kept.
func TestTarget(t *testing.T) {
	const start = 17294371
	target, evil, number, err := Target(4, 2, 1, start)
	if err != nil {
		t.Fatal(err)
	}
	if number != start {
		t.Logf("the search should start at %d", number)
	}
	good, bad := target[2*BlockSize:][:BlockSize], evil[2*BlockSize:][:BlockSize]
	if bytes.Equal(good, bad) || !bytes.Equal(target[:2*BlockSize], evil[:2*BlockSize]) || !bytes.Equal(target[3*BlockSize:], evil[3*BlockSize:]) {
		t.Error("not just one block is another")
	}
	if checksum.RsumBlock(good, BlockSize) != checksum.RsumBlock(bad, BlockSize) {
		t.Error("the rsum is another")
	}
	sum := func(b []byte) []byte { return checksum.MD4.SumBlocks(nil, b, BlockSize)[:StrongLength] }
	if !bytes.Equal(sum(good), sum(bad)) {
		t.Error("the strong checksum is another")
	}
	if _, again, _ := Block(good, number); again != number {
		t.Errorf("from where one was found it is found at %d", again)
	}
}
