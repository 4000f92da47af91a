package target

import (
	"net/url"
	"slices"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// A window is no more than a second's worth of a limited rate, from the first on.
func TestWindowsKeepToALimitedRate(t *testing.T) {
	for _, tt := range []struct{ limit, first, longest int64 }{
		{0, windowFirst, windowLimit},
		{10_000, windowLeast, windowLeast},
		{200_000, 200_000, 200_000},
		{1_000_000, windowFirst, 1_000_000},
	} {
		f := newFixture(t, 24*mib, nil)
		f.closeStore()
		limited, err := zsyncclient.New(zsyncclient.Options{Origins: []*url.URL{f.controlURL()}, LimitRate: tt.limit})
		if err != nil {
			t.Fatal(err)
		}
		defer limited.Close()
		f.client = limited
		f.openStore()
		r := f.open().NewReader()
		var windows []int64
		for off := int64(0); off < 20*mib; off += 4096 { // nothing is fetched, so nothing is measured
			for _, ahead := range r.plan(format.Range{Start: off, End: off + 4096}) {
				windows = append(windows, ahead.Count()*4096)
			}
		}
		const block = 4096 // windows are of whole blocks
		off := func(got, want int64) bool { return got > want+block || got <= want-block }
		if off(windows[0], tt.first) || off(slices.Max(windows), tt.longest) {
			t.Errorf("limit %d: the first window has %d bytes, the longest %d", tt.limit, windows[0], slices.Max(windows))
		}
	}
}
