//go:build unix

package seed

import (
	"testing"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

func BenchmarkMicro(b *testing.B) {
	data := randomBytes(1, 1<<20)
	sums := make([]uint32, minBatch+4096)
	b.Run("offsets", func(b *testing.B) {
		b.SetBytes(int64(len(sums)))
		defer perCPU(b, len(sums))()
		for b.Loop() {
			checksum.RsumOffsets(sums, data, 12)
		}
	})
	for _, l := range benchLengths {
		for _, length := range []int64{64 << 20, 512 << 20, 5 << 30} {
			x := randomRecords(length, 4096, l).index(b)
			s := x.newScan(1<<40, NewMissing(int64(x.count)), nil, Options{})
			f := s.newFilter()
			dst, scratch, n := make([]uint32, minBatch), make([]uint32, 4096), 0
			var hi []uint32
			if s.seq > 1 {
				hi = sums[4096:]
			}
			b.Run("filter", func(b *testing.B) {
				b.SetBytes(minBatch)
				defer perCPU(b, minBatch)()
				for b.Loop() {
					n, _ = f.hits(dst, scratch, sums[:minBatch], hi, 4096, s.mask)
				}
				b.ReportMetric(float64(n)/float64(minBatch)*100, "%hit")
			})
		}
	}
}
