package fs

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

func TestLate(t *testing.T) {
	var l late
	if code := l.again(0); code != 0 {
		t.Errorf("%v before anything was late", code)
	}
	l.note(4096, 8192, syscall.EIO)
	for _, off := range []int64{0, 4095, 4096 + 8192} {
		if code := l.again(off); code != 0 {
			t.Errorf("%v at %d", code, off)
		}
	}
	if code := l.again(8192); code != syscall.EIO {
		t.Errorf("%v for a page that was late", code)
	}
	l.note(1<<20, 4096, syscall.ESTALE) // a request of the same readahead
	for range 3 {                       // programs that waited for the same page
		if code := l.again(8192); code != syscall.EIO {
			t.Errorf("%v for a page that was late", code)
		}
	}
	if code := l.again(1 << 20); code != syscall.ESTALE {
		t.Errorf("%v for another page that was late", code)
	}
	for i := range l.reads {
		l.reads[i].at = l.reads[i].at.Add(-2 * lateFor)
	}
	if code := l.again(8192); code != 0 {
		t.Errorf("%v after a while", code)
	}
	for range 2 * lateLimit {
		l.note(0, 1, syscall.EIO)
	}
	if n := len(l.reads); n != lateLimit {
		t.Errorf("%d reads are remembered", n)
	}
}

func TestIsLate(t *testing.T) {
	over, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-over.Done()
	dying, interrupt := context.WithCancelCause(t.Context())
	interrupt(errInterrupted)
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want bool
	}{
		{t.Context(), target.ErrStalled, true},
		{t.Context(), zsyncclient.ErrWrongBlocks, false},
		{over, context.DeadlineExceeded, true},
		{dying, errInterrupted, false},
	} {
		if got := isLate(c.ctx, c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
