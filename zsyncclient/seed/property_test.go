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

// situation is a target, a seed, and what is known of the target before a scan.
type situation struct {
	target target
	x      *Index
	seed   []byte
	known  map[format.BlockID]bool
	o      Options
}

// drawSituation draws one, with short checksums and small slices.
func drawSituation(t *rapid.T) situation {
	pieces := [][]byte{piece(t), piece(t), piece(t), piece(t)}
	l := format.Lengths{
		SeqMatches: rapid.IntRange(1, 2).Draw(t, "seq"),
		Rsum:       rapid.IntRange(1, 4).Draw(t, "rsum"),
		Strong:     rapid.IntRange(3, 16).Draw(t, "strong"),
	}
	strong := checksum.Strong(rapid.IntRange(0, 2).Draw(t, "algorithm"))
	data := mix(t, pieces, "target")
	pieces = append(pieces, data, data[:len(data)/2])
	c := situation{
		target: newTarget(data, 512, strong, l),
		seed:   mix(t, pieces, "seed"),
		known:  map[format.BlockID]bool{},
		o: Options{credit: 1 << 40,
			Workers: rapid.IntRange(1, 3).Draw(t, "workers"), slice: rapid.IntRange(512, 3000).Draw(t, "slice"),
			part: rapid.IntRange(300, 3000).Draw(t, "part")},
	}
	for id := range format.BlockID(c.target.header.Geometry().BlockCount()) {
		if rapid.IntRange(0, 5).Draw(t, "known") == 0 {
			c.known[id] = true
		}
	}
	var err error
	if c.x, err = NewIndex(c.target.header, c.target.records); err != nil {
		t.Fatal(err)
	}
	return c
}

// missing is all that is not known.
func (c situation) missing() *Missing {
	m := NewMissing(c.target.header.Geometry().BlockCount())
	for id := range c.known {
		m.Take(id)
	}
	return m
}

// file scans the seed as a file.
func (c situation) file(t *rapid.T) *sink {
	missing, out := c.missing(), newSink(c.target, c.seed)
	stats, err := c.x.Scan(context.Background(), bytes.NewReader(c.seed), int64(len(c.seed)), missing, out.deliver, c.o)
	if err != nil {
		t.Fatal(err)
	}
	out.check(t, stats, missing)
	return out
}

// stream scans the seed as a stream.
func (c situation) stream(t *rapid.T) *sink {
	missing, out := c.missing(), newSink(c.target, c.seed)
	stats, err := c.x.ScanReader(context.Background(), iotest.HalfReader(bytes.NewReader(c.seed)), missing, out.deliver, c.o)
	if err != nil {
		t.Fatal(err)
	}
	out.check(t, stats, missing)
	return out
}

// TestScanFindsAll holds every way to scan against the rule.
func TestScanFindsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSituation(t)
		c.o.First = rapid.Int64Range(0, 20000).Draw(t, "first")
		compare := func(what string, out *sink, size int64) {
			seq := c.x.newScan(size, c.missing(), out.deliver, c.o).seq
			must, may := naive(c.target, c.seed, c.known, seq)
			for id := range must {
				if !out.blocks[id] {
					t.Fatalf("%s: block %d was not found", what, id)
				}
			}
			for id := range out.blocks {
				if !may[id] {
					t.Fatalf("%s: block %d is not in the seed, or known", what, id)
				}
			}
		}
		compare("file", c.file(t), int64(len(c.seed)))
		compare("stream", c.stream(t), wholeSeed)
	})
}
