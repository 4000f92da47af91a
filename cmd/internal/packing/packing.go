package packing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// Without Options.Restart there is a restart at each shortRestart bytes of input
// where restartOutput bytes of output have come since the last one, and at each
// longRestart whatever has: so who wants a little from the middle fetches much the
// same of whatever data, and those that shrink most lose least by it.
const (
	shortRestart  = 128 << 10
	longRestart   = 512 << 10
	restartOutput = 96 << 10
)

// Bounds of Options.Restart, in bytes. The longest keeps the memory within bounds.
const (
	MinRestart = 32 << 10
	MaxRestart = 16 << 20
)

// Options for NewWriter.
type Options struct {
	// BlockSize of the control file in bytes: a power of two in
	// [format.MinBlockSize, format.MaxBlockSize].
	BlockSize int64
	// Restart is how many bytes of input there are from one restart to the next, in
	// [MinRestart, MaxRestart]; rounded up to whole blocks. Default: 128 to 512 KiB,
	// the more the better the data compress.
	Restart int64
	// MTime is written to the gzip header when it can be: until the year 2106.
	// Default: none.
	MTime time.Time
}

// Writer compresses what is written to it. Not safe for concurrent use.
type Writer struct {
	w         io.Writer
	blockSize int
	restart   int // input of a stretch
	unit      int // after so much of it each there may be another restart
	crc       uint32
	length    int64

	next   *stretch   // being filled
	queue  []*stretch // under way, in order
	idle   []*compressor
	most   int      // of queue
	wasted [][]byte // input of stretches that are done, for the next

	zmap  format.ZMapBuilder
	start int64 // where the output of the first of queue will be, in bytes
	out   int64 // where its input starts
	err   error
}

// NewWriter writes the header of a gzip file to w, which gets the rest as it
// becomes ready. The caller must Close the Writer.
func NewWriter(w io.Writer, o Options) (*Writer, error) {
	unit := o.Restart
	if o.Restart == 0 {
		o.Restart, unit = longRestart, shortRestart
	}
	if o.Restart < MinRestart || o.Restart > MaxRestart {
		return nil, fmt.Errorf("%d bytes from one restart to the next are not between %d and %d", o.Restart, MinRestart, MaxRestart)
	}
	z := &Writer{w: w, most: runtime.GOMAXPROCS(0) + 1}
	z.blockSize = int(min(o.BlockSize, maxBlock))
	z.restart = int((o.Restart + o.BlockSize - 1) / o.BlockSize * o.BlockSize)
	z.unit = int((unit + o.BlockSize - 1) / o.BlockSize * o.BlockSize)
	header := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3}
	if t := o.MTime.Unix(); !o.MTime.IsZero() && t > 0 && t < 1<<32 {
		binary.LittleEndian.PutUint32(header[4:], uint32(t))
	}
	z.start = int64(len(header))
	if _, err := w.Write(header); err != nil {
		return nil, err
	}
	return z, nil
}

// Write takes the next bytes of the target. Errors: those of the writer below.
func (z *Writer) Write(p []byte) (int, error) {
	total := len(p)
	z.crc = crc32.Update(z.crc, crc32.IEEETable, p)
	z.length += int64(total)
	for len(p) > 0 && z.err == nil {
		if z.next == nil {
			z.next = z.newStretch()
		}
		if len(z.next.data) == z.restart { // and it is not the last
			z.begin()
			continue
		}
		n := min(len(p), z.restart-len(z.next.data))
		z.next.data = append(z.next.data, p[:n]...)
		p = p[n:]
	}
	return total - len(p), z.err
}

func (z *Writer) newStretch() *stretch {
	s := &stretch{done: make(chan struct{})}
	if n := len(z.wasted); n > 0 {
		s.data, z.wasted = z.wasted[n-1], z.wasted[:n-1]
	}
	return s
}

// begin starts to compress z.next, when there is room for it.
func (z *Writer) begin() {
	for len(z.queue) >= z.most {
		z.take()
	}
	if z.err != nil {
		return
	}
	if len(z.idle) == 0 {
		c, err := newCompressor()
		if err != nil {
			z.err = err
			return
		}
		z.idle = append(z.idle, c)
	}
	s, c := z.next, z.idle[len(z.idle)-1]
	z.next, z.idle = nil, z.idle[:len(z.idle)-1]
	s.compressor = c
	z.queue = append(z.queue, s)
	go func() {
		defer close(s.done)
		s.err = c.compress(s, z.blockSize, z.unit)
	}()
}

// take waits for the first stretch under way and writes its output.
func (z *Writer) take() {
	s := z.queue[0]
	z.queue = z.queue[1:]
	<-s.done
	z.idle = append(z.idle, s.compressor)
	z.wasted = append(z.wasted, s.data[:0])
	if z.err == nil {
		z.err = s.err
	}
	for _, p := range s.points {
		if z.err == nil {
			z.err = z.zmap.Add(format.ZPoint{Bit: p.Bit + 8*z.start, Out: p.Out + z.out})
		}
	}
	if z.err != nil {
		return
	}
	if _, z.err = z.w.Write(s.out); s.last {
		z.start = 8*z.start + s.end // in bits, now
	} else {
		z.start += int64(len(s.out))
	}
	z.out += int64(len(s.data))
}

// Finish ends the file, and is the raw Z-Map2. Errors: as Write;
// format.ErrZMapGap and others of the map.
func (z *Writer) Finish() ([]byte, error) {
	if z.next == nil {
		z.next = z.newStretch()
	}
	z.next.last = true
	z.begin()
	for len(z.queue) > 0 {
		z.take()
	}
	if z.err != nil {
		return nil, z.err
	}
	z.err = errors.New("the gzip file is finished")
	trailer := binary.LittleEndian.AppendUint32(nil, z.crc)
	trailer = binary.LittleEndian.AppendUint32(trailer, uint32(z.length))
	if _, err := z.w.Write(trailer); err != nil {
		return nil, err
	}
	return z.zmap.Finish(format.ZPoint{Bit: z.start, Out: z.length})
}

// Close waits for what is under way. The file is whole only after Finish.
func (z *Writer) Close() error {
	for _, s := range z.queue {
		<-s.done
	}
	z.queue = nil
	return nil
}
