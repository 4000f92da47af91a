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
	if code := l.again(8192); code != 0 {
		t.Errorf("%v when it is asked for a third time", code)
	}
	l.note(0, 1, syscall.EIO)
	l.at = l.at.Add(-2 * lateFor)
	if code := l.again(0); code != 0 {
		t.Errorf("%v after a while", code)
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
