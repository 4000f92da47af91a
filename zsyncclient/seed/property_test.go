package seed

import (
	"bytes"
	"context"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// piece draws some bytes of the kinds that matter: random, constant, periodic.
func piece(t *rapid.T) []byte {
	n := rapid.IntRange(0, 2500).Draw(t, "length")
	out := make([]byte, n)
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0: // zeros
	case 1:
		c := rapid.Byte().Draw(t, "constant")
		for i := range out {
			out[i] = c
		}
	case 2:
		word := rapid.SliceOfN(rapid.Byte(), 1, 700).Draw(t, "word")
		for i := range out {
			out[i] = word[i%len(word)]
		}
	default:
		state := rapid.Uint64().Draw(t, "random") | 1
		for i := range out {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			out[i] = byte(state >> 32)
		}
	}
	return out
}

// mix is a target or seed put together of pieces, some of them several times.
func mix(t *rapid.T, pieces [][]byte, label string) []byte {
	var out []byte
	for range rapid.IntRange(0, 6).Draw(t, label) {
		p := pieces[rapid.IntRange(0, len(pieces)-1).Draw(t, "piece")]
		from := rapid.IntRange(0, len(p)).Draw(t, "from")
		out = append(out, p[from:]...)
	}
	return out
}

// TestScanFindsAll holds every way to scan against the rule.
func TestScanFindsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := [][]byte{piece(t), piece(t), piece(t), piece(t)}
		l := format.Lengths{
			SeqMatches: rapid.IntRange(1, 2).Draw(t, "seq"),
			Rsum:       rapid.IntRange(1, 4).Draw(t, "rsum"),
			Strong:     rapid.IntRange(3, 16).Draw(t, "strong"),
		}
		strong := checksum.Strong(rapid.IntRange(0, 2).Draw(t, "algorithm"))
		tg := newTarget(mix(t, pieces, "target"), 512, strong, l)
		seed := mix(t, pieces, "seed")
		count := tg.header.Geometry().BlockCount()
		missing, stream := NewMissing(count), NewMissing(count)
		known := map[format.BlockID]bool{}
		for id := range format.BlockID(count) {
			if rapid.IntRange(0, 5).Draw(t, "known") == 0 {
				known[id] = true
				missing.Take(id)
				stream.Take(id)
			}
		}
		x, err := NewIndex(tg.header, tg.records)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Workers: rapid.IntRange(1, 3).Draw(t, "workers"), slice: rapid.IntRange(512, 3000).Draw(t, "slice")}
		compare := func(what string, out *sink, seq int) {
			for id := range naive(tg, seed, known, seq) {
				if !out.blocks[id] {
					t.Fatalf("%s: block %d was not found", what, id)
				}
			}
			for id := range out.blocks {
				if known[id] {
					t.Fatalf("%s: block %d was known", what, id)
				}
			}
		}
		out := newSink(tg, seed)
		stats, err := x.Scan(context.Background(), bytes.NewReader(seed), int64(len(seed)), missing, out.deliver, o)
		if err != nil {
			t.Fatal(err)
		}
		out.check(t, stats, missing)
		compare("file", out, x.newScan(int64(len(seed)), missing, out.deliver, o).seq)

		out = newSink(tg, seed)
		stats, err = x.ScanReader(context.Background(), iotest.HalfReader(bytes.NewReader(seed)), stream, out.deliver, o)
		if err != nil {
			t.Fatal(err)
		}
		out.check(t, stats, stream)
		compare("stream", out, x.newScan(wholeSeed, missing, out.deliver, o).seq)
	})
}
