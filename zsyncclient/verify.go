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

// consume reads the blocks of t's first run from r, which stands at the first of
// them and reads b, verifies and delivers them. It ends b, unless it returns nil.
//
// Errors: ErrWrongBlocks; io.ErrUnexpectedEOF (wrapped) when r ends early; b's.
// An error of the caller's functions is in t.callerErr too.
func (t *try) consume(ctx context.Context, b *body, r io.Reader) error {
	s, run := t.f.s, &t.runs[0]
	p := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(p)
	buf, have := *p, 0
	last := time.Now()
	for run.Start < run.End {
		left := s.geo.Bytes(*run).Length()
		want := int(min(int64(len(buf)), left))
		n, readErr := r.Read(buf[have:want])
		have += n
		count := int64(have) / s.geo.BlockSize
		if int64(have) == left {
			count = run.Count()
		}
		if count > 0 && (have == want || readErr != nil || time.Since(last) > deliverEvery) {
			used, err := t.give(ctx, b, buf[:have], count)
			if err != nil {
				b.done()
				return err
			}
			have = copy(buf, buf[used:have])
			last = time.Now()
		}
		if run.Start < run.End && readErr != nil {
			if readErr == io.EOF {
				readErr = fmt.Errorf("body ended after %d bytes: %w", b.read, io.ErrUnexpectedEOF)
			}
			return b.broke(readErr)
		}
	}
	t.runs = t.runs[1:]
	return nil
}

// give verifies count whole blocks at the start of p, which starts with t's
// first run and came with b, and delivers those before the first wrong one. It
// returns their bytes.
func (t *try) give(ctx context.Context, b *body, p []byte, count int64) (int64, error) {
	s, next := t.f.s, &t.runs[0].Start
	run := format.BlockRange{Start: *next, End: *next + format.BlockID(count)}
	records, err := t.f.records(ctx, run)
	if err == nil && int64(len(records)) != count*s.header.RecordSize() {
		err = fmt.Errorf("%d bytes of records for %v", len(records), run)
	}
	if err != nil {
		t.callerErr = err
		return 0, err
	}
	p = p[:s.geo.Bytes(run).Length()]
	right := format.BlockID(s.header.VerifyBlocks(run.Start, p, records))
	good := s.geo.Bytes(format.BlockRange{Start: run.Start, End: run.Start + right}).Length()
	if right > 0 {
		if err := t.f.deliver(run.Start, p[:good]); err != nil {
			t.callerErr = err
			return 0, err
		}
		*next += right
		b.visit.used += good
	}
	if *next < run.End {
		return good, &WrongBlockError{*next}
	}
	return good, nil
}
