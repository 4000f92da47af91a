package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"sort"
)

// zmapEntrySize is the number of bytes of one entry of a Z-Map2.
const zmapEntrySize = 4

// ZPoint is a place of a gzip file where decoding can begin.
type ZPoint struct {
	// Bit is the position in the gzip file, bit 0 the lowest of the first byte.
	// Out is the position in the target, in bytes.
	Bit, Out int64
	// Inside: within a deflate block, between two symbols; the block's header is
	// at the last point before that is not Inside. Else such a header is here.
	Inside bool
}

// ZMap is a decoded Z-Map2: the points of a gzip file whose first member is the
// target, in order. The last two, which are no places to begin, are the end of the
// deflate stream, bit for bit and rounded up to a byte. A ZMap takes a bit more
// memory than its entries. Immutable.
type ZMap struct {
	raw     []byte
	anchors []anchor // each anchorStep-th point
	length  int64
}

// anchor is a point with the numbers of the last ones up to it that are the header of
// a deflate block, and a restart.
type anchor struct {
	ZPoint
	header, restart int
}

const (
	zmapInside = 1 << 15 // in the second half of an entry
	anchorStep = 64
)

// NewZMap decodes the entries of a map of a target of length bytes. Errors: why it
// cannot be the map of one.
func NewZMap(raw []byte, length int64) (*ZMap, error) {
	if len(raw)%zmapEntrySize != 0 || len(raw) < 3*zmapEntrySize {
		return nil, fmt.Errorf("%d bytes are no map of at least 3 points", len(raw))
	}
	m := &ZMap{raw: raw, length: length}
	var before ZPoint
	var p anchor
	for i := range m.Len() {
		before, p = p.ZPoint, m.next(p, i)
		if i%anchorStep == 0 {
			m.anchors = append(m.anchors, p)
		}
		switch {
		case i == 0 && (p.Inside || p.Out != 0 || p.Bit < 8*minGzipHeader || p.Bit%8 != 0):
			return nil, errors.New("the first point is not the start of a deflate stream")
		case i > 0 && i < m.Len()-1 && p.Bit <= before.Bit:
			return nil, fmt.Errorf("point %d is not after the one before it", i)
		case p.Out > length:
			return nil, fmt.Errorf("point %d is %d bytes behind the target's end", i, p.Out-length)
		}
	}
	end, last := m.At(m.Len()-2), p
	if end.Inside || last.Inside || end.Out != length || last.Out != length || last.Bit != (end.Bit+7)&^7 {
		return nil, errors.New("the last two points are not the end of the target")
	}
	return m, nil
}

// step is point i, which follows p.
func (m *ZMap) step(p ZPoint, i int) ZPoint {
	entry := m.raw[i*zmapEntrySize:]
	out := binary.BigEndian.Uint16(entry[2:])
	return ZPoint{
		Bit:    p.Bit + int64(binary.BigEndian.Uint16(entry)),
		Out:    p.Out + int64(out&^zmapInside),
		Inside: out&zmapInside != 0,
	}
}

// next is point i, which follows p.
func (m *ZMap) next(p anchor, i int) anchor {
	before := p.ZPoint
	p.ZPoint = m.step(before, i)
	if !p.Inside {
		p.header = i
	}
	if isRestart(before, p.ZPoint) {
		p.restart = i
	}
	return p
}

// Len is the number of points, with the two of the end.
func (m *ZMap) Len() int { return len(m.raw) / zmapEntrySize }

// Size is how many bytes of the gzip file the map covers; its trailer is behind.
func (m *ZMap) Size() int64 { return m.At(m.Len()-1).Bit / 8 }

// At is point i, which must be in [0, Len()).
func (m *ZMap) At(i int) ZPoint {
	at := i / anchorStep * anchorStep
	p := m.anchors[at/anchorStep].ZPoint
	for at < i {
		at++
		p = m.step(p, at)
	}
	return p
}

// anchorAt is point i, as an anchor.
func (m *ZMap) anchorAt(i int) anchor {
	at := i / anchorStep * anchorStep
	p := m.anchors[at/anchorStep]
	for at < i {
		at++
		p = m.next(p, at)
	}
	return p
}

// From are the points from number i on, with their numbers.
func (m *ZMap) From(i int) iter.Seq2[int, ZPoint] {
	return func(yield func(int, ZPoint) bool) {
		if i >= m.Len() {
			return
		}
		p := m.At(i)
		for yield(i, p) {
			if i++; i == m.Len() {
				return
			}
			p = m.step(p, i)
		}
	}
}

// Before is the number of the last point to begin at for output from byte out of
// the target on, which must be in [0, Length].
func (m *ZMap) Before(out int64) int {
	return max(0, min(m.search(func(p ZPoint) bool { return p.Out > out }), m.Len()-2)-1)
}

// After is the number of the first point that is behind all output before byte
// out of the target: what is to be decoded ends there.
func (m *ZMap) After(out int64) int {
	return min(m.search(func(p ZPoint) bool { return p.Out >= out }), m.Len()-2)
}

// Block is the number of the point of the header of the block that point i is in.
func (m *ZMap) Block(i int) int { return m.anchorAt(i).header }

// search is the number of the first point that is so, as all after it are; Len()
// when none is.
func (m *ZMap) search(so func(ZPoint) bool) int {
	a := sort.Search(len(m.anchors), func(i int) bool { return so(m.anchors[i].ZPoint) })
	if a == 0 {
		return 0
	}
	for i, p := range m.From((a - 1) * anchorStep) {
		if so(p) {
			return i
		}
	}
	return m.Len()
}

// Restart says whether point i is likely to need no output before it: it is the
// first, or an empty stored block ends there, as a compressor's flush leaves.
// Flushes that keep the history look the same, so decoding must tell.
func (m *ZMap) Restart(i int) bool {
	return i == 0 || isRestart(m.At(i-1), m.At(i))
}

// LastRestart is the number of the last point up to point i that is so.
func (m *ZMap) LastRestart(i int) int { return m.anchorAt(i).restart }

// isRestart is Restart of p, which follows before.
func isRestart(before, p ZPoint) bool {
	return !p.Inside && !before.Inside && p.Out == before.Out && p.Bit%8 == 0 &&
		p.Bit-before.Bit == (before.Bit+3+7)&^7+32-before.Bit
}

// ErrZMapGap: two points are further apart than an entry can say.
var ErrZMapGap = errors.New("too long between two points of a deflate stream for a Z-Map2")

// ZMapBuilder makes a Z-Map2 of the points that it is given in order. Not safe for
// concurrent use.
type ZMapBuilder struct {
	raw  []byte
	last ZPoint
}

// Add adds a point. Errors: ErrZMapGap (wrapped); more than MaxZMapEntries.
func (b *ZMapBuilder) Add(p ZPoint) error {
	bit, out := p.Bit-b.last.Bit, p.Out-b.last.Out
	if bits.Len64(uint64(bit)) > 16 || bits.Len64(uint64(out)) > 15 {
		return fmt.Errorf("%w: %d bits, %d bytes at byte %d of the target", ErrZMapGap, bit, out, b.last.Out)
	}
	if len(b.raw) >= MaxZMapEntries*zmapEntrySize {
		return fmt.Errorf("more than %d points", MaxZMapEntries)
	}
	b.raw = binary.BigEndian.AppendUint16(b.raw, uint16(bit))
	second := uint16(out)
	if p.Inside {
		second |= zmapInside
	}
	b.raw = binary.BigEndian.AppendUint16(b.raw, second)
	b.last = p
	return nil
}

// Finish adds the end of the deflate stream, and is the map's entries.
func (b *ZMapBuilder) Finish(end ZPoint) ([]byte, error) {
	if err := b.Add(ZPoint{Bit: end.Bit, Out: end.Out}); err != nil {
		return nil, err
	}
	if err := b.Add(ZPoint{Bit: (end.Bit + 7) &^ 7, Out: end.Out}); err != nil {
		return nil, err
	}
	return b.raw, nil
}

// faultError marks an error as a fault of the file, where reading further bytes
// can also fail because of the source.
type faultError struct{ error }

func (e *faultError) Unwrap() error { return e.error }

func fault(format string, args ...any) error {
	return &faultError{fmt.Errorf(format, args...)}
}

// parseZMap reads the count of entries in value and then their raw bytes, which
// follow the line at once.
func parseZMap(hr *headerReader, value string) error {
	_, length := hr.seen["Length"]
	_, blockSize := hr.seen["Blocksize"]
	if !length || !blockSize {
		return fault("Length and Blocksize must stand before it")
	}
	count, err := parseNumber(value, MaxZMapEntries)
	if err != nil {
		return &faultError{err}
	}
	if most := maxZMapEntries(hr.h.Length); count > most {
		return fault("%d entries are too many for a target of %d bytes (at most %d)", count, hr.h.Length, most)
	}
	if count == 0 {
		hr.warn("Z-Map2 has no entries")
		return nil
	}
	raw, err := hr.raw(count * zmapEntrySize)
	if err != nil {
		return err
	}
	hr.h.ZMap = raw
	return nil
}

// raw reads n bytes, taking memory as they arrive.
func (hr *headerReader) raw(n int64) ([]byte, error) {
	const step = 64 << 10
	var data []byte
	for int64(len(data)) < n {
		old := len(data)
		want := int(min(step, n-int64(old)))
		data = append(data, make([]byte, want)...)
		got, err := io.ReadFull(hr.r, data[old:])
		hr.size += int64(got)
		hr.mapSize += int64(got)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, &ShortError{Have: hr.size, Need: hr.size + n - int64(old+got) + 1}
		}
		if err != nil {
			return nil, err
		}
	}
	return data, nil
}
