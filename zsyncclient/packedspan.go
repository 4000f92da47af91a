package zsyncclient

import (
	"context"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/inflate"
)

// span is a part of a gzip copy that is decoded in one go.
type span struct {
	blocks     format.BlockRange // that come of it
	wanted     format.BlockID    // the first of them that is wanted
	start, end format.ZPoint
	block      int // the number of the point of the deflate block that start is inside of; -1: of none
	restart    bool
}

// bytes are those of the copy.
func (sp span) bytes() format.Range {
	return format.Range{Start: sp.start.Bit / 8, End: (sp.end.Bit + 7) / 8}
}

// spanFor is what must be decoded for run: from the last point before it whose
// history is here or not needed. What comes of earlier, spans of the same request,
// is here by then. The look for that point goes no further back than to one that is
// far: then the span begins there or before. Errors: ctx's.
func (s *Source) spanFor(ctx context.Context, m *format.ZMap, run format.BlockRange, earlier []format.BlockRange, far func(format.ZPoint) bool) (span, error) {
	s.packed.mu.Lock()
	restarts := !s.packed.noRestarts
	if s.packed.forgetful {
		earlier = nil
	}
	s.packed.mu.Unlock()
	r := s.geo.Bytes(run)
	i, restart := m.Before(r.Start), 0
	if restarts {
		restart = m.LastRestart(i)
	}
	i, err := s.lastHistory(ctx, m, i, restart, earlier, far)
	if err != nil {
		return span{}, err
	}
	sp := span{blocks: run, wanted: run.Start, start: m.At(i), end: m.At(m.After(r.End)), block: -1, restart: i == restart}
	if sp.start.Inside {
		sp.block = m.Block(i)
	}
	sp.blocks.Start = min(run.Start, s.geo.Block(sp.start.Out+s.geo.BlockSize-1))
	return sp, nil
}

// lastHistory is the number of the last point from number i down to least that is far,
// or whose history is here or comes of earlier; least when there is none. Errors: ctx's.
func (s *Source) lastHistory(ctx context.Context, m *format.ZMap, i, least int, earlier []format.BlockRange, far func(format.ZPoint) bool) (int, error) {
	if !s.packed.readable() {
		return least, nil
	}
	for i > least {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		p := m.At(i)
		missing := s.missing(windowBefore(p), earlier)
		if missing < 0 || far(p) {
			return i, nil
		}
		i = m.Before(missing) // all points between may refer to that byte, too
	}
	return least, nil
}

// windowBefore is the output that may be referred to from p on.
func windowBefore(p format.ZPoint) format.Range {
	return format.Range{Start: max(0, p.Out-inflate.WindowSize), End: p.Out}
}

// missing is the first byte of w that is not here and does not come of earlier, which
// is ascending; -1 when there is none.
func (s *Source) missing(w format.Range, earlier []format.BlockRange) int64 {
	first := int64(-1)
	for i := len(earlier) - 1; i >= 0 && w.Start < w.End; i-- {
		r := s.geo.Bytes(earlier[i])
		if r.End <= w.Start {
			break
		}
		if at := s.notHere(format.Range{Start: r.End, End: w.End}); at >= 0 {
			first = at
		}
		w.End = min(w.End, r.Start)
	}
	if at := s.notHere(w); at >= 0 {
		first = at
	}
	return first
}

// notHere is the first byte of r that is not here; -1 when there is none.
func (s *Source) notHere(r format.Range) int64 {
	if r.Length() == 0 || s.packed.local.Has(r) {
		return -1
	}
	blocks := s.geo.Covering(r)
	for id := blocks.Start; id < blocks.End; id++ {
		if !s.packed.local.Has(s.geo.Bytes(format.BlockRange{Start: id, End: id + 1})) {
			return max(r.Start, s.geo.Offset(id))
		}
	}
	return -1 // it came meanwhile
}

// packedPays says whether runs take fewer bytes of a gzip copy than of the target.
func (s *Source) packedPays(ctx context.Context, runs []format.BlockRange) bool {
	m := s.usableMap()
	if m == nil {
		return false
	}
	left := int64(0) // that the copy may take
	for _, run := range runs {
		left += s.geo.Bytes(run).Length()
	}
	end := int64(0) // of what comes for the runs before
	for i, run := range runs {
		stop := span{end: m.At(m.After(s.geo.Bytes(run).End))}.bytes().End
		sp, err := s.spanFor(ctx, m, run, runs[:i], func(p format.ZPoint) bool { return p.Bit/8 <= max(end, stop-left) })
		if err != nil {
			return false
		}
		left -= max(0, stop-max(sp.bytes().Start, end))
		end = max(end, stop)
		if sp.block >= 0 {
			left -= s.packed.headerGuess()
		}
		if left <= 0 {
			return false
		}
	}
	return true
}
