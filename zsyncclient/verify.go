package zsyncclient

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

const (
	// runSize is the size of the buffers that bodies are read into, and so of the
	// runs given to a caller, in bytes; a block if that is larger.
	runSize = 256 << 10
	// deliverEvery bounds how long a verified block waits for its run to fill on
	// a slow line.
	deliverEvery = 10 * time.Millisecond
)

// bufferSize is a whole number of blocks, about runSize.
func bufferSize(g format.Geometry) int64 {
	return max(runSize/g.BlockSize*g.BlockSize, g.BlockSize)
}

// consume reads the blocks from f.next to f.end from b, which stands at the
// first of them, verifies and delivers them. It ends b, unless it returns nil.
//
// Errors: ErrWrongBlocks; io.ErrUnexpectedEOF (wrapped) when b ends early; b's.
// An error of the caller's functions is in f.callerErr too.
func (f *fetch) consume(ctx context.Context, b *body) error {
	p := f.s.buffers.Get().(*[]byte)
	defer f.s.buffers.Put(p)
	buf, have := *p, 0
	last := time.Now()
	for f.next < f.end {
		left := f.s.geo.Bytes(format.BlockRange{Start: f.next, End: f.end}).Length()
		want := int(min(int64(len(buf)), left))
		n, readErr := b.Read(buf[have:want])
		have += n
		count := int64(have) / f.s.geo.BlockSize
		if int64(have) == left {
			count = int64(f.end - f.next)
		}
		if count > 0 && (have == want || readErr != nil || time.Since(last) > deliverEvery) {
			used, err := f.give(ctx, buf[:have], count)
			if err != nil {
				b.done()
				return err
			}
			have = copy(buf, buf[used:have])
			last = time.Now()
		}
		if f.next < f.end && readErr != nil {
			if readErr == io.EOF {
				readErr = fmt.Errorf("body ended after %d bytes: %w", b.read, io.ErrUnexpectedEOF)
			}
			return b.broke(readErr)
		}
	}
	return nil
}

// give verifies count whole blocks at the start of p, which starts at f.next,
// and delivers those before the first wrong one. It returns their bytes.
func (f *fetch) give(ctx context.Context, p []byte, count int64) (int64, error) {
	g := f.s.geo
	run := format.BlockRange{Start: f.next, End: f.next + format.BlockID(count)}
	records, err := f.records(ctx, run)
	if err == nil && int64(len(records)) != count*f.s.header.RecordSize() {
		err = fmt.Errorf("%d bytes of records for %v", len(records), run)
	}
	if err != nil {
		f.callerErr = err
		return 0, err
	}
	p = p[:g.Bytes(run).Length()]
	right := format.BlockID(f.s.header.VerifyBlocks(f.next, p, records))
	good := g.Bytes(format.BlockRange{Start: f.next, End: f.next + right}).Length()
	if right > 0 {
		if err := f.deliver(f.next, p[:good]); err != nil {
			f.callerErr = err
			return 0, err
		}
		f.next += right
	}
	if f.next < run.End {
		return good, fmt.Errorf("block %d: %w", f.next, ErrWrongBlocks)
	}
	return good, nil
}
