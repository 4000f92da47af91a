package zsyncclient

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// A server that does not take several ranges in one request is asked for single ones of
// a copy, as it is of a plain target, and the map is believed still.
func TestPackedRefusesSeveral(t *testing.T) {
	data := words(500_000, 1)
	packed := gzipStream(data, 6, len(data), false)
	rules := map[string]rangetest.Rule{
		"whole":       {Fault: rangetest.IgnoreRange},
		"wrong bytes": {Fault: rangetest.Flip, After: 10, Every: 50},
	}
	for _, code := range []int{400, 403, 405, 413, 416, 431, 500, 501} {
		rules[fmt.Sprint(code)] = rangetest.Rule{Fault: rangetest.Status, Status: code}
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			f := newPackedFixture(t, data, packed, nil)
			rule.Path, rule.Several = "/d/t.dat.gz", 2
			f.srv.Add(rule)
			runs := scattered(int64(len(f.here)))
			f.have(runs)
			s := f.source()
			if err := s.FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver); err != nil || f.missing() > 0 {
				t.Fatalf("%v; %d blocks are missing", err, f.missing())
			}
			if s.usableMap() == nil {
				t.Error("the map is not believed any more")
			}
			if most, _ := f.c.host(f.url).rangesAtOnce(); most != 1 {
				t.Errorf("the host gets %d ranges at once", most)
			}
			// A span may need one more for a header.
			if n := f.srv.Count(rule.Path); n > 2*len(runs)+2 {
				t.Errorf("%d requests for %d runs", n, len(runs))
			}
		})
	}
}

// A single range that fails as well clears the number of ranges of suspicion.
func TestPackedRefusesAll(t *testing.T) {
	data := words(500_000, 1)
	f := newPackedFixture(t, data, gzipStream(data, 6, len(data), false), nil)
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat.gz", Fault: rangetest.Status, Status: 403})
	runs := scattered(int64(len(f.here)))
	f.have(runs)
	err := f.source().FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver)
	wantSourceError(t, err, "403")
	if most, _ := f.c.host(f.url).rangesAtOnce(); most != maxRanges {
		t.Errorf("the host gets %d ranges at once", most)
	}
}

// One bad reply about a copy is no reason to read all of it.
func TestPackedOneBadReply(t *testing.T) {
	data := words(500_000, 1)
	packed := gzipStream(data, 6, len(data), false)
	for name, rule := range map[string]rangetest.Rule{
		"whole":        {Fault: rangetest.IgnoreRange},
		"416":          {Fault: rangetest.Status, Status: 416},
		"wrong header": {Fault: rangetest.Flip, Every: 50},
		"wrong bytes":  {Fault: rangetest.Flip, Every: 50, Skip: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newPackedFixture(t, data, packed, nil)
			rule.Path, rule.Times = "/d/t.dat.gz", 1
			f.srv.Add(rule)
			mid := f.header.Geometry().Block(int64(len(data)) / 2)
			runs := []format.BlockRange{{Start: mid - 50, End: mid + 50}}
			f.have(runs)
			s := f.source()
			s.c.host(f.url).limitRanges(1) // so the header comes first
			if err := s.FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver); err != nil || f.missing() > 0 {
				t.Fatalf("%v; %d blocks are missing", err, f.missing())
			}
			if n := f.srv.Count(rule.Path); s.usableMap() == nil || n > 4 {
				t.Errorf("map %v after %d requests", s.usableMap() != nil, n)
			}
		})
	}
}

// brokenDisk has blocks that it cannot give.
type brokenDisk struct{ *packedFixture }

func (brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, errors.New("input/output error") }

// A history that is said to be here and cannot be read is decoded as well, and not
// asked for again and again.
func TestPackedHistoryUnreadable(t *testing.T) {
	data := words(600_000, 1)
	f := newPackedFixture(t, data, gzipStream(data, 6, len(data), false), nil)
	runs := []format.BlockRange{{Start: 100, End: 101}, {Start: 200, End: 201}}
	f.have(runs)
	s := f.source()
	s.SetLocal(brokenDisk{f})
	if err := s.FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver); err != nil || f.missing() > 0 {
		t.Errorf("%v; %d blocks are missing", err, f.missing())
	}
	if n := f.srv.Count("/d/t.dat.gz"); n > 2 {
		t.Errorf("%d requests", n)
	}
}

// Blocks of a copy that only come along, each time anew where they do not stay, are no
// progress.
func TestPackedBrokenInVain(t *testing.T) {
	data := words(4_000_000, 1)
	f := newPackedFixture(t, data, gzipStream(data, 6, len(data), false), nil)
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat.gz", Fault: rangetest.ShortBody, After: 200_000})
	last := format.BlockRange{Start: f.all().End - 1, End: f.all().End}
	f.backsOff("/d/t.dat.gz", func(ctx context.Context) error {
		return f.fixture.source().Fetch(ctx, last, Foreground, f.records, func(format.BlockID, []byte) error { return nil })
	})
}

// A copy that was compressed anew is no reason to ask its host for fewer ranges of others.
func TestPackedAnewBesidePlain(t *testing.T) {
	data := words(1_500_000, 1)
	f := newPackedFixture(t, data, gzipStream(data, 9, len(data), false), nil)
	f.srv.Put("/d/t.dat.gz", gzipStream(data, 1, len(data), false))
	f.srv.Put("/d/t.dat", data)
	f.header.URLs = []string{"t.dat"}
	runs := scattered(int64(len(f.here)))
	f.have(runs)
	if err := f.source().FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver); err != nil || f.missing() > 0 {
		t.Fatalf("%v; %d blocks are missing", err, f.missing())
	}
	if most, _ := f.c.host(f.url).rangesAtOnce(); most != maxRanges || f.srv.Count("/d/t.dat") > 3 {
		t.Errorf("the host gets %d ranges at once, and got %d requests", most, f.srv.Count("/d/t.dat"))
	}
}

// A flush that keeps its history, met in an answer to several ranges, is no fault of the
// host: its gate stays open.
func TestPackedFlushInSeveral(t *testing.T) {
	data := words(1_500_000, 1)
	f := newPackedFixture(t, data, gzipStream(data, 6, 128<<10, false), nil)
	s := f.source()
	runs := []format.BlockRange{{Start: 200, End: 201}, {Start: 500, End: 501}}
	if err := s.FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver); err != nil {
		t.Fatal(err)
	}
	if !s.packed.noRestarts {
		t.Error("no flush was met")
	}
	for _, h := range f.c.Stats().Hosts {
		if h.Errors > 0 {
			t.Errorf("a host that did all right: %+v", h)
		}
	}
}

// A foreground fetch does not wait for the decoding of a background one that the host's
// gate holds back.
func TestPackedForegroundFirst(t *testing.T) {
	target := words(1_500_000, 1)
	f := newPackedFixture(t, target, gzipStream(target, 6, len(target), false), nil)
	s := f.source()
	other, err := f.c.host(f.url).enter(t.Context(), data, Foreground, 0)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		ended <- s.Fetch(context.Background(), format.BlockRange{Start: 300, End: 400}, Background, f.records, f.deliver)
	}()
	for s.packed.coming(f.header.Geometry().Offset(400), Background) == nil {
		time.Sleep(time.Millisecond)
	}
	if err := s.Fetch(shortly(t, 20*time.Second), format.BlockRange{Start: 400, End: 402}, Foreground, f.records, f.deliver); err != nil {
		t.Error(err)
	}
	other.leave()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
