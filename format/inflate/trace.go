package inflate

import (
	"io"
)

// Point is a place of a stream where decoding can begin.
type Point struct {
	// Bit is the position in the stream, Out that in the output in bytes.
	Bit, Out int64
	// Inside: within a block, between two symbols; else at the header of one.
	Inside bool
}

// Trace decodes the stream that starts at bit of r (r's first byte has it), writes
// its output to w and gives point each place that a Z-Map2 lists, in order: all
// headers of blocks, and within blocks, for each multiple of every bytes of output,
// the first place between two symbols that is not before it; but not the last such
// place before a header. The result is where the stream ends.
//
// Errors: as Decoder.Read; w's; point's.
func Trace(r io.Reader, bit, every int64, w io.Writer, point func(Point) error) (end Point, err error) {
	var d Decoder
	if err := d.Start(r, bit, nil); err != nil {
		return Point{}, err
	}
	goal := every
	pending := Point{Out: -1}
	for d.state != atEnd {
		if d.state == atHeader {
			pending.Out = -1
			if err := point(Point{Bit: d.in.position(), Out: d.total}); err != nil {
				return Point{}, err
			}
		}
		d.advance(goal)
		if d.err != nil {
			return Point{}, d.err
		}
		if d.done < d.end {
			if _, err := w.Write(d.out[d.done:d.end]); err != nil {
				return Point{}, err
			}
			d.done = d.end
		}
		if d.total < goal {
			continue
		}
		goal = d.total - d.total%every + every
		if d.state == atHeader || d.state == atEnd {
			continue
		}
		if pending.Out >= 0 {
			if err := point(pending); err != nil {
				return Point{}, err
			}
		}
		pending = Point{Bit: d.in.position(), Out: d.total, Inside: true}
	}
	return Point{Bit: d.in.position(), Out: d.total}, nil
}
