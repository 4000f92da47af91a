package packing

import (
	"bytes"
	"errors"

	"github.com/klauspost/compress/flate"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/inflate"
)

// maxBlock is the longest input of one DEFLATE block, in bytes: of so many, also
// when they cannot be compressed, there are no more bits than an entry of the map
// can say.
const maxBlock = 4096

// level is that of the compressor.
const level = 8

// stretch is what is compressed by itself: between two restarts, and with some
// within it by default.
type stretch struct {
	data []byte // input
	last bool   // the file ends after it
	// out is the output in whole bytes, but for end bits of it when last.
	out []byte
	end int64
	// points have positions relative to the stretch's start.
	points []format.ZPoint
	err    error
	done   chan struct{}
	// compressor is the one at work.
	compressor *compressor
}

// compressor compresses stretches, one at a time.
type compressor struct {
	flate   *flate.Writer
	flushed bytes.Buffer
	decoder inflate.Decoder
	out     bitWriter
}

func newCompressor() (*compressor, error) {
	c := &compressor{}
	var err error
	c.flate, err = flate.NewWriter(&c.flushed, level)
	return c, err
}

// errSelfCheck: not the input.
var errSelfCheck = errors.New("the compressor's output does not yield its input")

// compress compresses s in DEFLATE blocks of blockSize bytes of input, with a
// restart after whole units of it where enough output came.
func (c *compressor) compress(s *stretch, blockSize, unit int) error {
	c.out = bitWriter{out: make([]byte, 0, len(s.data)/3)}
	s.points = make([]format.ZPoint, 0, len(s.data)/blockSize+len(s.data)/unit+3)
	for at := 0; at < len(s.data); {
		end, err := c.flush(s.data, at, blockSize, unit)
		if err == nil {
			err = c.join(s, at, end)
		}
		if err != nil {
			return err
		}
		if at = end; at < len(s.data) {
			c.endHistory(s, at)
		}
	}
	if !s.last {
		c.endHistory(s, len(s.data))
	} else {
		s.points = append(s.points, format.ZPoint{Bit: c.out.position(), Out: int64(len(s.data))})
		c.out.add(1|1<<1, 10) // final, of fixed codes, and its end
		s.end = c.out.position()
		c.out.align()
	}
	s.out = c.out.out
	return nil
}

// endHistory ends the output of the first at bytes of s for a restart.
func (c *compressor) endHistory(s *stretch, at int) {
	s.points = append(s.points, format.ZPoint{Bit: c.out.position(), Out: int64(at)})
	c.out.stored(nil)
}

// flush compresses data from at on into c.flushed, up to the next restart, which is
// the result.
func (c *compressor) flush(data []byte, at, blockSize, unit int) (end int, err error) {
	c.flushed.Reset()
	c.flate.Reset(&c.flushed)
	for begin := at; at < len(data); {
		n := min(len(data)-at, blockSize)
		if _, err := c.flate.Write(data[at : at+n]); err != nil {
			return 0, err
		}
		if err := c.flate.Flush(); err != nil {
			return 0, err
		}
		if at += n; (at-begin)%unit == 0 && c.flushed.Len() >= restartOutput {
			break
		}
	}
	return at, nil
}

// join appends to c.out the blocks of c.flushed that have output, which is bytes
// [at, end) of s, and notes their points.
func (c *compressor) join(s *stretch, at, end int) error {
	stream := c.flushed.Bytes()
	size := len(stream)
	c.flushed.Write(make([]byte, 8)) // room for bitWriter.copy
	padded := c.flushed.Bytes()
	check := expecter{rest: s.data[at:end]}
	err := c.decoder.Blocks(padded[:size], &check, func(b inflate.Block) error {
		switch {
		case b.Final:
			return errSelfCheck
		case b.Length == 0:
			return nil
		}
		s.points = append(s.points, format.ZPoint{Bit: c.out.position(), Out: int64(at) + b.Out})
		if b.Stored {
			c.out.stored(padded[b.Data/8 : b.Data/8+b.Length])
		} else {
			c.out.copy(padded, b.Bit, b.End)
		}
		return nil
	})
	if err == nil && len(check.rest) > 0 {
		err = errSelfCheck
	}
	return err
}

// expecter fails when something else than rest is written to it.
type expecter struct{ rest []byte }

func (e *expecter) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(e.rest, p) {
		return 0, errSelfCheck
	}
	e.rest = e.rest[len(p):]
	return len(p), nil
}
