package zsyncclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

// asked counts how often it is asked what is here.
type asked struct {
	Local
	n atomic.Int64
}

func (a *asked) Has(r format.Range) bool {
	a.n.Add(1)
	return a.Local.Has(r)
}

// plainStart is where spanFor is to begin, found by a look at each point.
func plainStart(f *packedFixture, m *format.ZMap, run format.BlockRange, earlier []format.BlockRange) format.ZPoint {
	g := f.header.Geometry()
	here := append([]bool(nil), f.here...)
	for _, e := range earlier {
		for id := e.Start; id < e.End; id++ {
			here[id] = true
		}
	}
	all := func(r format.Range) bool {
		for id, b := g.Covering(r).Start, g.Covering(r); r.Length() > 0 && id < b.End; id++ {
			if !here[id] {
				return false
			}
		}
		return true
	}
	i := m.Before(g.Offset(run.Start))
	for !m.Restart(i) && !all(windowBefore(m.At(i))) {
		i--
	}
	return m.At(i)
}

// A span begins at the last point whose history is here or not needed, whatever is here.
func TestSpanFor(t *testing.T) {
	data := words(1_000_000, 1)
	never := func(format.ZPoint) bool { return false }
	for name, packed := range map[string][]byte{
		"one stream":  gzipStream(data, 6, len(data), false),
		"restarts":    gzipStream(data, 6, 128<<10, true),
		"many blocks": gzipStream(data, 6, 2048, false),
	} {
		f := newPackedFixture(t, data, packed, nil)
		s := f.source()
		m := s.usableMap()
		r := rand.New(rand.NewPCG(1, 1))
		for range 100 {
			f.have(nil)
			for range r.IntN(20) { // missing runs
				first := r.IntN(len(f.here))
				clear(f.here[first:min(first+1+r.IntN(60), len(f.here))])
			}
			runs := scattered(int64(len(f.here)))
			n := r.IntN(len(runs))
			sp, err := s.spanFor(t.Context(), m, runs[n], runs[:n], never)
			if want := plainStart(f, m, runs[n], runs[:n]); err != nil || sp.start != want {
				t.Errorf("%s, %v: from %+v, want %+v; %v", name, runs[n], sp.start, want, err)
			}
		}
	}
}

// steep is a fixture whose copy has a point for each 8 bytes of the target, in one
// deflate block, and shrinks it to an eighth. Nothing of it is here.
func steep(t *testing.T, points int) (*packedFixture, *Source, *asked) {
	f := &packedFixture{fixture: newFixture(t, fixtureOptions{length: 8 * points})}
	var raw []byte
	point := func(bits, out uint16) {
		raw = binary.BigEndian.AppendUint16(raw, bits)
		raw = binary.BigEndian.AppendUint16(raw, out)
	}
	point(80, 0)
	for range points - 1 {
		point(8, 8|1<<15)
	}
	point(8, 8)
	point(0, 0)
	f.header.ZMap, f.header.ZURLs = raw, []string{"t.dat.gz"}
	f.here = make([]bool, f.header.Geometry().BlockCount())
	s := f.source()
	local := &asked{Local: f}
	s.SetLocal(local)
	if s.usableMap() == nil {
		t.Fatal("no map: ", f.warned)
	}
	return f, s, local
}

// To find where a span begins takes no look at each of the points before it, and ends
// where a copy takes more than the target itself.
func TestSpanForSteps(t *testing.T) {
	const points = 1 << 18
	f, s, local := steep(t, points)
	m, last := s.usableMap(), f.all().End-1
	run := format.BlockRange{Start: last, End: last + 1}
	sp, err := s.spanFor(t.Context(), m, run, nil, func(format.ZPoint) bool { return false })
	windows := int64(8*points) / (32 << 10)
	if n := local.n.Swap(0); err != nil || sp.start != m.At(0) || n > 4*windows {
		t.Errorf("%+v, %v: asked %d times what is here, of a target of %d windows", sp.start, err, n, windows)
	}
	if s.packedPays(t.Context(), []format.BlockRange{run}) {
		t.Error("the whole copy is said to be less than a block")
	}
	if n := local.n.Load(); n > 4 {
		t.Errorf("asked %d times for what is more than a block already", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.spanFor(ctx, m, run, nil, func(format.ZPoint) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: %v", err)
	}
}

// While what is before it is on its way, one that waits looks no further back than that
// matters.
func TestAwaitHistorySteps(t *testing.T) {
	f, s, local := steep(t, 1<<18)
	m, last := s.usableMap(), f.all().End-1
	run := format.BlockRange{Start: last, End: last + 1}
	s.packed.begin(format.Range{End: f.header.Length}, Foreground)
	sp, err := s.awaitHistory(t.Context(), m, run, nil, Foreground, false)
	if n := local.n.Load(); sp != nil || err != nil || n > 4*restartWaiting/(32<<10) {
		t.Errorf("%v, %v: asked %d times", sp, err, n)
	}
}

func BenchmarkSpanFor(b *testing.B) {
	t := &testing.T{}
	for _, points := range []int{1 << 16, 1 << 20} {
		b.Run(fmt.Sprint(points), func(b *testing.B) {
			f, s, _ := steep(t, points)
			m, last := s.usableMap(), f.all().End-1
			for b.Loop() {
				_, _ = s.spanFor(b.Context(), m, format.BlockRange{Start: last, End: last + 1}, nil, func(format.ZPoint) bool { return false })
			}
		})
	}
}
