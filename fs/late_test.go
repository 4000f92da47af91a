package fs

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

func TestLateReads(t *testing.T) {
	var l lateReads
	if code := l.again(0); code != 0 {
		t.Errorf("%v before anything was late", code)
	}
	l.note(4096, 8192, false, syscall.EIO)
	l.note(1<<20, 4096, false, syscall.ESTALE)
	for _, off := range []int64{0, 4095, 4096 + 8192} {
		if code := l.again(off); code != 0 {
			t.Errorf("%v at %d", code, off)
		}
	}
	for range 3 { // programs that waited for the same page
		if code := l.again(8192); code != syscall.EIO {
			t.Errorf("%v for a page that was late", code)
		}
	}
	if code := l.again(1 << 20); code != syscall.ESTALE {
		t.Errorf("%v for another page that was late", code)
	}
	age := func(d time.Duration) {
		for i := range l.last {
			l.last[i].began = l.last[i].began.Add(-d)
			l.last[i].lateness.last = l.last[i].lateness.last.Add(-d)
		}
	}
	for range 6 { // more programs that waited, one after the other
		if code := l.again(8192); code != syscall.EIO {
			t.Errorf("%v for a page that others were told of", code)
		}
		age(lateFor * 3 / 4)
	}
	age(lateFor)
	if code := l.again(1 << 20); code != 0 {
		t.Errorf("%v after a while", code)
	}
	l.note(0, 1, false, syscall.EIO)
	l.last[len(l.last)-1].began = time.Now().Add(-2 * lateLongest)
	if code := l.again(0); code != 0 {
		t.Errorf("%v for ever", code)
	}
	for i := range 3 * maxLate {
		l.note(int64(i)<<20, 1, false, syscall.EIO)
	}
	if len(l.last) != maxLate || l.again(int64(3*maxLate-1)<<20) != syscall.EIO || l.again(int64(2*maxLate)<<20) != syscall.EIO {
		t.Errorf("%d reads are remembered", len(l.last))
	}
}

// TestReadsThatFailSoon: they may be tried again, but not for ever.
func TestReadsThatFailSoon(t *testing.T) {
	var l lateReads
	fail := func(off int64, length int, code syscall.Errno) {
		began := time.Now()
		for !time.Now().After(began) {
			runtime.Gosched()
		}
		l.noteFailed(off, length, time.Now(), code)
	}
	fail(0, window, syscall.EACCES) // the kernel reads ahead
	for try := range lateTry - 1 {
		if code := l.again(page); code != 0 {
			t.Errorf("%v after %d reads that failed", code, try+1)
		}
		fail(page, page, syscall.EIO)
	}
	if until, ok := l.goesOn(2 * page); ok {
		t.Errorf("a read behind them ends at %v", until)
	}
	if one, other := l.again(page), l.again(2*page); one != syscall.EIO || other != 0 {
		t.Errorf("%v where three reads failed, %v where one did", one, other)
	}
	for i := range l.last {
		l.last[i].lateness.last = time.Now().Add(-2 * lateFor)
	}
	if code := l.again(page); code != 0 {
		t.Errorf("%v after a while", code)
	}
	if fail(page, page, syscall.EIO); l.again(page) != 0 {
		t.Error("what failed a while ago counts")
	}
	for range lateTry { // with reads between them that had what they wanted
		l.came(page)
		fail(page, page, syscall.EIO)
	}
	if l.again(page) != 0 {
		t.Error("reads that did not fail do not count")
	}
	began := time.Now()
	for range lateTry {
		l.noteFailed(1<<20, page, began, syscall.EIO)
	}
	if l.again(1<<20) != 0 {
		t.Error("what failed side by side counts as several")
	}

	// Who goes on trying does not put the next try off.
	for range lateTry {
		fail(2<<20, page, syscall.EIO)
	}
	l.last[len(l.last)-1].lateness.last = time.Now().Add(-lateFor / 2)
	if first := l.again(2 << 20); first != syscall.EIO {
		t.Errorf("%v where three reads failed", first)
	}
	l.last[len(l.last)-1].lateness.last = l.last[len(l.last)-1].lateness.last.Add(-lateFor / 2)
	if code := l.again(2 << 20); code != 0 {
		t.Errorf("%v after a while in which others tried", code)
	}

	// One that was late stays so when another one there fails soon.
	l.note(3<<20, page, false, syscall.EIO)
	fail(3<<20, page, syscall.EIO)
	if l.again(3<<20) != syscall.EIO {
		t.Error("a read that failed soon hides one that was late")
	}
}

func TestReadsGoOn(t *testing.T) {
	var l lateReads
	l.note(4096, 8192, false, syscall.EIO)
	for _, off := range []int64{0, 4096, 8192, 16384} {
		if until, ok := l.goesOn(off); ok {
			t.Errorf("a read at %d ends at %v", off, until)
		}
	}
	until, ok := l.goesOn(12288)
	if left := time.Until(until); !ok || left <= 0 || left > lateFor {
		t.Errorf("what goes on has %v", left)
	}
	l.note(12288, 4096, true, syscall.EIO)
	if until, ok := l.goesOn(16384); ok {
		t.Errorf("what goes on behind that ends at %v", until)
	}
	l.last[0].began = time.Now().Add(-lateFor)
	if until, ok := l.goesOn(12288); ok {
		t.Errorf("a while later it ends at %v", until)
	}
}

func TestLateNames(t *testing.T) {
	var l lateNames
	l.note("a")
	if first, second := l.again("a"), l.again("a"); !first || !second || l.again("b") || l.again("") {
		t.Error("the late name is a")
	}
	for i := range 3 * maxLate {
		l.note(fmt.Sprint(i))
	}
	if len(l.at) > maxLate || !l.again(fmt.Sprint(3*maxLate-1)) {
		t.Errorf("%d names are remembered", len(l.at))
	}
	l.note("")
	l.at[""] = lateness{time.Now(), time.Now().Add(-2 * lateFor)}
	if l.again("") {
		t.Error("late after a while")
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
