package seed

import (
	"bytes"
	"context"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// FuzzScan: whatever records and seeds are, what is delivered has the strong
// checksums of the records, and each block comes once.
func FuzzScan(f *testing.F) {
	data := append(randomBytes(1, 3000), make([]byte, 2000)...)
	tg := newTarget(data, 512, checksum.MD4, format.Lengths{SeqMatches: 2, Rsum: 2, Strong: 3})
	f.Add(tg.records, data, uint8(1), uint8(1), uint8(0), uint16(5000))
	f.Add([]byte(nil), data, uint8(0), uint8(3), uint8(13), uint16(0))
	f.Add(make([]byte, 200), make([]byte, 3000), uint8(0), uint8(0), uint8(0), uint16(20000))
	f.Fuzz(func(t *testing.T, records, seed []byte, seq, rsum, strong uint8, length uint16) {
		h := &format.Header{BlockSize: 512, Length: int64(length), SeqMatches: int(seq%2) + 1,
			RsumLength: int(rsum%4) + 1, StrongLength: int(strong%14) + 3, Strong: checksum.Strong(strong % 3)}
		x, err := NewIndex(h, records)
		if err != nil {
			return
		}
		tg := target{header: h, records: records}
		missing := NewMissing(h.Geometry().BlockCount())
		out := newSink(tg, seed)
		stats, err := x.Scan(context.Background(), bytes.NewReader(seed), int64(len(seed)), missing, out.deliver, Options{slice: 1000, part: 700, Workers: 1, LeastRun: int(length % 5), First: int64(length)})
		if err != nil {
			t.Fatal(err)
		}
		out.check(t, stats, missing)
		stream := NewMissing(h.Geometry().BlockCount())
		out = newSink(tg, seed)
		stats, err = x.ScanReader(context.Background(), bytes.NewReader(seed), stream, out.deliver, Options{slice: 1000, Workers: 1, LeastRun: int(length % 5), First: int64(length)})
		if err != nil {
			t.Fatal(err)
		}
		out.check(t, stats, stream)
	})
}
