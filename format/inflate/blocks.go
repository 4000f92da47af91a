package inflate

import (
	"bytes"
	"io"
)

// Block is a block of a stream.
type Block struct {
	// Bit is where its header starts, and End where the block ends; Data is where
	// the bytes of a stored block start.
	Bit, Data, End int64
	// Out is where its output starts and Length how long it is, in bytes.
	Out, Length int64
	Stored      bool
	Final       bool
}

// Blocks decodes all of stream, which starts with the header of a block and ends
// with a block, final or not. It writes the output to w and gives block each block
// in order. What the decoder was doing before is forgotten.
//
// Errors: as Read; w's; block's.
func (d *Decoder) Blocks(stream []byte, w io.Writer, block func(Block) error) error {
	if err := d.Start(bytes.NewReader(stream), 0, nil); err != nil {
		return err
	}
	for d.state != atEnd && d.in.position() < 8*int64(len(stream)) {
		b := Block{Bit: d.in.position(), Out: d.total}
		if d.advance(d.total); d.err != nil { // no further than its header
			return d.err
		}
		b.Final = d.final
		if b.Stored = d.state == inStored; b.Stored {
			b.Data = d.in.position()
		}
		for d.state == inCodes || d.state == inStored {
			if d.advance(d.total + outputSize); d.err != nil {
				return d.err
			}
			if _, err := w.Write(d.out[d.done:d.end]); err != nil {
				return err
			}
			d.done = d.end
		}
		b.End, b.Length = d.in.position(), d.total-b.Out
		if err := block(b); err != nil {
			return err
		}
	}
	return nil
}
