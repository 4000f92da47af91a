package seed

import (
	"context"
	"errors"
	"io"
	"sync"
)

// window is a slice of a stream with what its look-ups reach beyond it.
type window struct {
	buf  []byte
	n    int   // offsets to look at
	base int64 // where it begins in the stream
}

// ScanReader is Scan for a stream of unknown length: the places that deliver is told
// are offsets from where it began. It reads on the calling goroutine: a Read that
// blocks delays the return after ctx ended.
func (x *Index) ScanReader(ctx context.Context, r io.Reader, missing *Missing, deliver Deliver, o Options) (Stats, error) {
	s := x.newScan(wholeSeed, missing, deliver, o)
	if !s.begin(ctx) {
		return s.result(ctx)
	}
	s.stream(ctx, r)
	return s.result(ctx)
}

// stream reads windows and hands them to the workers.
func (s *scan) stream(ctx context.Context, r io.Reader) {
	full := make(chan window)
	free := make(chan []byte, s.workers+1)
	for range s.workers + 1 {
		free <- nil
	}
	var wg sync.WaitGroup
	for range s.workers {
		wg.Go(func() {
			w := s.newWorker(false)
			defer func() { s.add(w.counts) }()
			for win := range full {
				if err := s.streamWindow(ctx, w, win); err != nil {
					s.fail(err)
				}
				free <- win.buf
			}
		})
	}
	err := s.readWindows(ctx, r, full, free)
	close(full)
	wg.Wait()
	// What was read before the error still counts.
	if err != nil {
		s.fail(err)
	}
}

// streamWindow scans one window, and again what runs jumped over: a stream cannot
// be read twice.
func (s *scan) streamWindow(ctx context.Context, w *worker, win window) error {
	if s.stop.Load() {
		return nil
	}
	w.going = going{} // windows of a stream go to any worker
	w.base = win.base
	scanned, err := w.window(ctx, win.buf, win.n)
	s.addScanned(int64(scanned))
	jumped := w.takeJumped(span{})
	if err != nil || len(jumped) == 0 {
		return err
	}
	w.thorough = true
	defer func() { w.thorough = false }()
	for _, j := range jumped {
		n := int(j.end - j.start)
		w.base = win.base + j.start
		if _, err := w.window(ctx, win.buf[j.start:int(j.start)+n+s.reach], n); err != nil {
			return err
		}
	}
	return nil
}

// readWindows fills buffers from r until it ends, with what look-ups at the end of
// one need carried over into the next.
func (s *scan) readWindows(ctx context.Context, r io.Reader, full chan<- window, free <-chan []byte) error {
	var tail []byte
	base := int64(0)
	for !s.stop.Load() && ctx.Err() == nil && s.missing.Count() > 0 {
		buf := <-free
		if buf == nil {
			buf = make([]byte, s.slice+s.reach)
		}
		buf = buf[:s.slice+s.reach]
		carried := copy(buf, tail)
		got, err := io.ReadFull(r, buf[carried:])
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		n := s.slice
		if err != nil {
			n = carried + got
			if len(buf) < n+s.reach {
				buf = append(buf, make([]byte, n+s.reach-len(buf))...)
			}
			buf = buf[:n+s.reach]
			clear(buf[n:])
		} else {
			tail = append(tail[:0], buf[n:]...)
		}
		if n > 0 {
			full <- window{buf, n, base}
			base += int64(n)
		}
		if err != nil && !ended {
			return err
		}
		if ended {
			return nil
		}
	}
	return nil
}
