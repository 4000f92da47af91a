package seed

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// weakTarget is a target whose blocks have the rsums at the offsets of seed, and
// strong checksums that nothing has.
func weakTarget(seed []byte, block, count int, l format.Lengths) target {
	t := randomRecords(int64(count*block), block, l)
	h := t.header
	for id := range count {
		// Pairs take the rsums of an offset and of the block behind.
		off := id
		if l.SeqMatches > 1 {
			off = id/2 + id%2*block
		}
		off %= len(seed) - block
		var full [4]byte
		binary.BigEndian.PutUint32(full[:], checksum.RsumBlock(seed[off:off+block], block).Uint32())
		copy(t.records[id*int(h.RecordSize()):], full[4-l.Rsum:])
	}
	return t
}

// constant is n bytes c.
func constant(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }

// adversaries are seeds and targets in which much seems to match.
func adversaries() map[string]func(l format.Lengths) (target, []byte) {
	const size = 2 << 20
	period := bytes.Repeat(randomBytes(3, 700), size/700)
	random := randomBytes(4, size)
	oneKey := func(seed []byte, block int) func(l format.Lengths) (target, []byte) {
		return func(l format.Lengths) (target, []byte) {
			return weakTarget(seed[:2*block+1], block, 20000, l), seed
		}
	}
	return map[string]func(l format.Lengths) (target, []byte){
		"zeros, one weak key": func(l format.Lengths) (target, []byte) {
			t := randomRecords(20000*2048, 2048, l)
			for id := range 20000 {
				clear(t.records[id*int(t.header.RecordSize()):][:l.Rsum])
			}
			return t, make([]byte, size)
		},
		"constant":             oneKey(constant(0xAA, size), 2048),
		"constant, 64 KiB":     oneKey(constant(0xAA, size), 64<<10),
		"periodic":             oneKey(period, 2048),
		"every offset is weak": func(l format.Lengths) (target, []byte) { return weakTarget(random, 1024, 200000, l), random[:400<<10] },
	}
}

// TestAdversary: what is hashed in vain is a small multiple of what is scanned, and
// so are the look-ups.
func TestAdversary(t *testing.T) {
	for name, make := range adversaries() {
		for _, l := range benchLengths {
			for _, least := range []int{0, 8} {
				tg, seed := make(l)
				c := countScan(t, tg, seed, Options{Workers: 2, LeastRun: least})
				block := tg.header.BlockSize
				start := int64(2) * (64*block + 1<<20) // what the workers begin with
				if hashed, most := c.strong*block, lanesGain*(earned*int64(len(seed))+start); hashed > most {
					t.Errorf("%s, %s, runs of %d: %d bytes were hashed for %d of seed, want at most %d", name, l, least, hashed, len(seed), most)
				}
				if most := (earned*int64(len(seed)) + start) / lookupCost; c.lookups > most {
					t.Errorf("%s, %s, runs of %d: %d look-ups for %d bytes of seed, want at most %d", name, l, least, c.lookups, len(seed), most)
				}
			}
		}
	}
}

// countScan is what a scan of seed does for all blocks of tg.
func countScan(t *testing.T, tg target, seed []byte, o Options) counts {
	t.Helper()
	x := tg.index(t)
	s := x.newScan(int64(len(seed)), NewMissing(int64(x.count)), func(format.BlockID, []byte, int64) error { return nil }, o)
	s.file(context.Background(), bytes.NewReader(seed), int64(len(seed)))
	if _, err := s.result(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s.counts
}

// TestRealDataHasCredit: after any amount of what matches nothing, and in the
// middle of weak matches, blocks are found.
func TestRealDataHasCredit(t *testing.T) {
	for _, l := range benchLengths {
		data := randomBytes(5, 1<<20)
		tg := newTarget(data, 2048, checksum.MD4, l)
		seed := append(randomBytes(6, 3<<20), data...)
		missing := NewMissing(tg.header.Geometry().BlockCount())
		scanBytes(t, tg, missing, seed, Options{})
		if missing.Count() != 0 {
			t.Errorf("%s: %d blocks are missing", l, missing.Count())
		}
	}
}

// TestSecondSeed: of content that is known already nothing is hashed.
func TestSecondSeed(t *testing.T) {
	for _, l := range benchLengths {
		data := append(randomBytes(5, 1<<20), make([]byte, 1<<20)...)
		data = append(data, constant(0xFF, 1<<20)...)
		tg := newTarget(append(bytes.Clone(data), randomBytes(7, 4096)...), 4096, checksum.MD4, l)
		missing := NewMissing(tg.header.Geometry().BlockCount())
		scanBytes(t, tg, missing, data, Options{})
		s := tg.index(t).newScan(int64(len(data)), missing, func(format.BlockID, []byte, int64) error { return nil }, Options{})
		s.file(context.Background(), bytes.NewReader(data), int64(len(data)))
		if want := int64(1); missing.Count() != want || s.counts.strong > 16 {
			t.Errorf("%s: %d missing, %d blocks were hashed", l, missing.Count(), s.counts.strong)
		}
	}
}
