package zsyncclient

import (
	"context"
	"net/url"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

func benchFetch(b *testing.B, blockSize int64, all bool) {
	srv := rangetest.New()
	if err := srv.Start(); err != nil {
		b.Fatal(err)
	}
	defer srv.Stop()
	target := randomBytes(64 << 20)
	control, h := controlFor(b, target, blockSize)
	srv.Put("/t.dat", target)
	u := mustURL(srv.URL("/t.dat.zsync"))
	c := newClient(b, Options{Origins: []*url.URL{u}})
	ctl := &Control{URL: u, Final: u, Header: h, Validators: Validators{Length: int64(len(control))}}
	s := c.NewSource(ctl, nil)
	records := func(_ context.Context, r format.BlockRange) ([]byte, error) {
		rr := h.RecordRange(r)
		return control[rr.Start:rr.End], nil
	}
	deliver := func(format.BlockID, []byte) error { return nil }
	b.SetBytes(int64(len(target)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if all {
			err = s.FetchAll(context.Background(), records, deliver)
		} else {
			err = s.Fetch(context.Background(), h.Geometry().All(), Foreground, records, deliver)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFetch is one range request for 64 MiB over one loopback connection,
// with the server in the same process, each block verified.
func BenchmarkFetch(b *testing.B) {
	b.Run("2048", func(b *testing.B) { benchFetch(b, 2048, false) })
	b.Run("4096", func(b *testing.B) { benchFetch(b, 4096, false) })
	b.Run("1M", func(b *testing.B) { benchFetch(b, 1<<20, false) })
}

// BenchmarkVerify is the part of BenchmarkFetch that checksums take.
func BenchmarkVerify(b *testing.B) {
	target := randomBytes(64 << 20)
	control, h := controlFor(b, target, 4096)
	run := runSize / 4096
	b.SetBytes(int64(len(target)))
	for b.Loop() {
		for first := range len(target) / runSize {
			r := format.BlockRange{Start: format.BlockID(first * run), End: format.BlockID((first + 1) * run)}
			rr := h.RecordRange(r)
			if h.VerifyBlocks(r.Start, target[first*runSize:(first+1)*runSize], control[rr.Start:rr.End]) != run {
				b.Fatal("wrong blocks")
			}
		}
	}
}
