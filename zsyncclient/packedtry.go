package zsyncclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/inflate"
)

// packedPart is one range of a gzip copy that is asked for: that of a span, with
// the start of its deflate block before it where that is near; or the start of a
// deflate block, whose codes a span needs.
type packedPart struct {
	r     format.Range
	span  *span
	block int // of a header
}

// decoders are reused: each takes about 140 KiB.
var decoders = sync.Pool{New: func() any { return new(inflate.Decoder) }}

// packed asks a gzip copy for what t's runs need, in one request, and decodes it.
// Blocks before and between the runs that come along are delivered too. Runs that
// are too many for the request are left for the next.
//
// A copy that is not what the map tells of when it is asked again, either, is from then
// on read as a whole only: it may have been compressed anew.
func (t *try) packed(ctx context.Context) error {
	s := t.f.s
	m := s.usableMap()
	if m == nil {
		return errAskAgain // another try has just found it wrong
	}
	err := t.packedByMap(ctx, m)
	if t.callerErr != nil || !errors.Is(err, ErrWrongBlocks) {
		return err
	}
	again := t.f.mayRepeat(t, err)
	if !again { // then it was not the number of ranges
		for _, h := range t.hosts(nil) {
			h.unsuspect()
		}
	}
	s.packed.mu.Lock()
	defer s.packed.mu.Unlock()
	clear(s.packed.headers) // one of them may be what was wrong
	s.packed.wrong = s.packed.wrong || !again
	return errAskAgain
}

// errNotAsMapped: the gzip copy is not what the map tells of.
var errNotAsMapped = fmt.Errorf("the gzip copy is not what its map tells of: %w", ErrWrongBlocks)

func (t *try) packedByMap(ctx context.Context, m *format.ZMap) error {
	s := t.f.s
	most, _ := t.host.rangesAtOnce()
	// Who goes on where the first run ends is to wait for it from now on.
	list := []*decoding{s.packed.begin(s.geo.Bytes(t.runs[0]), t.f.pri)}
	defer func() {
		for _, d := range list {
			s.packed.move(d, d.end, true)
		}
	}()
	parts, err := t.packedParts(ctx, m, max(most, 1))
	if err != nil {
		return err
	}
	ranges := make([]format.Range, len(parts))
	first := true // of the spans: it has its decoding
	for i, p := range parts {
		ranges[i] = p.r
		if p.span == nil {
			continue
		}
		if blocks := s.geo.Bytes(p.span.blocks); first {
			s.packed.extend(list[0], blocks.End)
		} else {
			list = append(list, s.packed.begin(blocks, t.f.pri))
		}
		first = false
	}
	etag := s.ifRange(t.cand)
	a, err := s.c.get(ctx, ask{url: t.cand.url, header: rangeHeader(etag, ranges...), class: data, pri: t.f.pri, packed: true})
	if err == nil && s.c.limit.Load() == nil {
		s.packed.flows(list)
	}
	switch {
	case err != nil && len(parts) > 1:
		return t.severalFailed(ctx, err, len(parts))
	case err != nil:
	case a.code != http.StatusPartialContent:
		err = t.packedRefused(a, etag, len(parts))
	case len(parts) > 1:
		return t.packedSeveral(ctx, a, m, parts, list)
	default:
		err = t.packedSingle(ctx, a, m, parts[0], list)
	}
	if len(parts) == 1 && (err != nil || parts[0].span != nil) { // a header alone tells nothing
		t.answeredOneRange(ctx, err)
	}
	return err
}

// packedSingle takes the 206 to one range.
func (t *try) packedSingle(ctx context.Context, a *answer, m *format.ZMap, p packedPart, list []*decoding) error {
	cr, err := checkPartial(a, p.r)
	if err == nil {
		err = t.packedPart(ctx, a, a.body, m, p, cr, list)
	}
	if !a.body.ended {
		a.body.done()
	}
	return err
}

// packedRefused judges an answer without any of so many ranges. A host that does not
// take several is asked for fewer, as for a plain target.
func (t *try) packedRefused(a *answer, etag string, ranges int) error {
	s := t.f.s
	a.body.done()
	switch a.code {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusGone:
		return a.statusError()
	case http.StatusOK:
		switch {
		case etag != "":
			s.distrustETag(t.cand)
			return errAskAgain
		case ranges > 1:
			t.refusedAt(a, 1) // it may know no ranges at all
			return errAskAgain
		case s.doubtWhole(t.cand):
			return errAskAgain
		}
		return fmt.Errorf("server sent 200 for a range request: %w", ErrNoRanges)
	}
	switch {
	case ranges > 1:
		t.refusedAt(a, ranges)
		return errAskAgain
	case a.code == http.StatusRequestedRangeNotSatisfiable:
		return errNotAsMapped
	}
	return a.statusError()
}

// packedParts are the ranges for as many of t's runs as most ranges bring, in
// order and apart. The runs become those of the spans.
func (t *try) packedParts(ctx context.Context, m *format.ZMap, most int) ([]packedPart, error) {
	s := t.f.s
	var parts []packedPart
	var last *span
	var earlier []format.BlockRange
	known := -1 // the deflate block whose header is among the parts
	runs := t.runs
	for len(runs) > 0 {
		sp, err := s.awaitHistory(ctx, m, runs[0], earlier, t.f.pri, len(parts) == 0)
		if err != nil {
			return nil, err
		}
		if sp == nil {
			break
		}
		r := sp.bytes()
		header := sp.block >= 0 && sp.block != known && s.packed.header(sp.block) == nil
		if last != nil && r.Start <= last.bytes().End+spanGap {
			// One goes on where the other ends.
			last.blocks.End, last.end = sp.blocks.End, sp.end
			earlier[len(earlier)-1] = last.blocks
			parts[len(parts)-1].r.End = last.bytes().End
			runs = runs[1:]
			continue
		}
		if header {
			at := m.At(sp.block).Bit / 8
			end := at + s.packed.headerGuess()
			if len(parts) >= most || last != nil && at < last.bytes().End {
				break
			}
			known = sp.block
			if end+spanGap >= r.Start {
				r.Start = at
			} else {
				parts = append(parts, packedPart{r: format.Range{Start: at, End: end}, block: sp.block})
			}
		}
		if len(parts) >= most {
			break
		}
		last = sp
		earlier = append(earlier, sp.blocks)
		parts = append(parts, packedPart{r: r, span: last})
		runs = runs[1:]
	}
	var mine []format.BlockRange
	for _, p := range parts {
		if p.span != nil {
			mine = append(mine, p.span.blocks)
		}
	}
	t.runs = append(mine, runs...)
	return parts, nil
}

// packedSeveral takes the parts of a 206 to several ranges.
func (t *try) packedSeveral(ctx context.Context, a *answer, m *format.ZMap, asked []packedPart, list []*decoding) error {
	r := partReaders.Get().(*bufio.Reader)
	r.Reset(a.body)
	defer func() { r.Reset(nil); partReaders.Put(r) }()
	host := t.f.s.c.host(a.final)
	p, err := partsOf(a, r)
	n := 0
	for ; err == nil; n++ {
		var cr contentRange
		if cr, err = p.next(); err != nil {
			break
		}
		if n == len(asked) || cr.r != asked[n].r {
			err = fmt.Errorf("%w: server sent %v where it should not", errParts, cr.r)
			break
		}
		if err = t.packedPart(ctx, a, r, m, asked[n], cr, list); err != nil {
			break
		}
		if asked[n].span != nil {
			list = list[1:]
		}
		if n == 1 {
			host.answeredRanges(n + 1)
		}
	}
	switch {
	case err == io.EOF:
		a.body.nearlyRead()
		a.body.done()
		if n < len(asked) {
			host.limitRanges(max(n, 1))
			return nil
		}
		host.answeredRanges(n)
		return nil
	case a.body.ended:
		return err
	case errors.Is(err, errParts):
		a.body.done()
		return t.onlySingle(a)
	case t.callerErr == nil && temporary(err) && !errors.Is(err, ErrWrongBlocks) && !errors.Is(err, errAskAgain):
		return a.body.broke(err)
	}
	a.body.done()
	if _, proved := host.rangesAtOnce(); proved <= 1 && errors.Is(err, ErrWrongBlocks) {
		t.refusedAt(a, 1) // perhaps only the parts are mixed up: a single range tells
	}
	return err
}

// packedPart takes one part, whose bytes r reads.
func (t *try) packedPart(ctx context.Context, a *answer, r io.Reader, m *format.ZMap, p packedPart, cr contentRange, list []*decoding) error {
	s := t.f.s
	if cr.total >= 0 && cr.total < m.Size() || cr.r != p.r {
		return errNotAsMapped
	}
	s.learn(t.cand, a)
	limited := &io.LimitedReader{R: r, N: p.r.Length()}
	in := spanReader{r: limited, limited: limited, body: a.body}
	if p.span == nil {
		header := make([]byte, p.r.Length())
		if _, err := io.ReadFull(in.r, header); err != nil {
			return in.broke(err)
		}
		s.packed.keepHeader(p.block, header)
		return nil
	}
	if lead := p.span.bytes().Start - p.r.Start; lead > 0 {
		header := make([]byte, lead+1) // the span's first byte may end it
		if _, err := io.ReadFull(in.r, header); err != nil {
			return in.broke(err)
		}
		s.packed.keepHeader(p.span.block, header)
		in.r = io.MultiReader(bytes.NewReader(header[lead:]), limited)
	}
	d := decoders.Get().(*inflate.Decoder)
	defer decoders.Put(d)
	if err := s.openSpan(m, *p.span, d, in); err != nil {
		return err
	}
	err := t.decode(ctx, p.span, d, in, list[0])
	switch {
	case !errors.Is(err, inflate.ErrHistory):
	case p.span.restart && p.span.start.Out > 0: // it was none
		s.packed.mu.Lock()
		s.packed.noRestarts = true
		s.packed.mu.Unlock()
		return errAskAgain
	default:
		return errNotAsMapped
	}
	if err != nil {
		return err
	}
	// What is left are bits of the last byte.
	_, err = io.Copy(io.Discard, in.r)
	return in.broke(err)
}

// decode verifies and delivers the blocks of t's first run, which are those of sp.
func (t *try) decode(ctx context.Context, sp *span, d *inflate.Decoder, in spanReader, mine *decoding) error {
	s := t.f.s
	run := &t.runs[0]
	if _, err := io.CopyN(io.Discard, d, s.geo.Offset(run.Start)-sp.start.Out); err != nil {
		return in.explain(err)
	}
	const piece = 64 << 10
	buf := make([]byte, min(max(piece/s.geo.BlockSize, 1)*s.geo.BlockSize, s.geo.Bytes(*run).Length()))
	for run.Start < run.End {
		count := min(run.Count(), max(int64(len(buf))/s.geo.BlockSize, 1))
		next := format.BlockRange{Start: run.Start, End: run.Start + format.BlockID(count)}
		part := buf[:s.geo.Bytes(next).Length()]
		if _, err := io.ReadFull(d, part); err != nil {
			return in.explain(err)
		}
		used := in.body.visit.used
		_, err := t.give(ctx, in.body, part, count)
		if next.Start < sp.wanted { // what comes along comes each time, perhaps
			in.body.visit.used = used
		}
		if err != nil {
			return err
		}
		s.packed.move(mine, s.geo.Bytes(next).End, false)
	}
	t.runs = t.runs[1:]
	return nil
}

// spanReader reads the part of a body that a span is.
type spanReader struct {
	r       io.Reader
	limited *io.LimitedReader // what is left of the part
	body    *body
}

func (r spanReader) Read(p []byte) (int, error) { return r.r.Read(p) }

// explain says what really stopped a decoder.
func (r spanReader) explain(err error) error {
	switch {
	case err == nil, errors.Is(err, inflate.ErrHistory):
		return err
	case r.body.err != nil && r.body.err != io.EOF:
		return r.body.broke(r.body.err)
	case errors.Is(err, inflate.ErrDamaged):
		return errNotAsMapped
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		if r.body.err == io.EOF && r.limited.N > 0 {
			return r.body.broke(io.ErrUnexpectedEOF)
		}
		return errNotAsMapped
	}
	return r.body.broke(err)
}

// broke is err of reading the body itself.
func (r spanReader) broke(err error) error {
	if err == nil {
		return nil
	}
	return r.body.broke(noEOF(err))
}
