package fs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
)

// The kernel lets one program after the other ask for what they all wait for, a page
// or a name: when the first failed, the next one asks again. And it asks once more by
// itself, at once, for a page that it tried to read ahead, or a name that it tried to
// confirm, when that failed. Each would wait for the whole read deadline, after the
// others. So a request that repeats one which was late a moment ago fails at once. When
// what was late came after all, a system call goes on behind it: for that it has the rest
// of the moment.

// A request is not tried again within lateFor after it was late, or after the last
// repetition of it that failed for that, in all not within lateLongest: that is as long
// as the kernel needs to let a thousand waiting programs ask, on a busy machine. It is
// also what a program may have to wait that goes on trying when the server is back.
const (
	lateFor     = time.Second
	lateLongest = 5 * time.Second
)

// lateLeast is how long a read must have waited to be late that failed for something else
// than want of time: programs that want its page would add up such waits.
const lateLeast = lateFor / 4

// One that failed sooner may be tried again, which the kernel does at once, but the third
// in a row counts as late, unless it took less than promptly. A fault on a mapped page
// begins anew whenever a signal came while it waited, and the runtime of a Go program
// sends one to each thread that does not come back within 10 ms: such a program would
// not see the error before the read succeeds, or fails sooner than that.
const (
	promptly = 2 * time.Millisecond
	lateTry  = 3
)

// errGoesOn ends a read that goes on where another one was late.
var errGoesOn = fmt.Errorf("no answer where a read goes on that was late before: %w", context.DeadlineExceeded)

// lateness is when a request was late.
type lateness struct{ began, last time.Time }

func newLateness() lateness {
	now := time.Now()
	return lateness{now, now}
}

// over says that the request may be tried again.
func (l lateness) over() bool {
	return time.Since(l.last) > lateFor || time.Since(l.began) > lateLongest
}

// maxLate bounds how many late requests are remembered of a version or a directory:
// of more, some wait twice.
const maxLate = 4096

// isLate says whether a request with this context failed for want of time.
func isLate(ctx context.Context, err error) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), errInterrupted) || errors.Is(err, target.ErrStalled)
}

// lateReads are the reads of a version that were late, or failed a moment ago. Of more
// than there is room for the last ones are kept. The zero value is ready. Safe for
// concurrent use.
type lateReads struct {
	mu   sync.Mutex
	last []lateRead // the oldest first; guarded by mu
}

type lateRead struct {
	start, end int64
	lateness
	code   syscall.Errno
	wentOn bool // it went on where another one was late
	late   bool
	tries  int // that failed in a row before they were late
}

// note takes in that a read of length bytes from off on was late; wentOn says that
// goesOn bounded it.
func (l *lateReads) note(off int64, length int, wentOn bool, code syscall.Errno) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(off, length, lateRead{code: code, wentOn: wentOn, late: true})
}

// noteFailed takes in that such a read, which began then, failed before it was late.
func (l *lateReads) noteFailed(off int64, length int, began time.Time, code syscall.Errno) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := lateRead{code: code, tries: 1}
	if before := l.find(off); before != nil {
		if before.late {
			return // that says more
		}
		r.tries = max(before.tries, 1)
		if before.began.Before(began) { // what fails side by side is one fault
			r.tries = before.tries + 1
		}
	}
	l.add(off, length, r)
}

// came takes in that a read from off on did not fail.
func (l *lateReads) came(off int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.find(off); r != nil {
		r.tries = 0
	}
}

// add needs mu.
func (l *lateReads) add(off int64, length int, r lateRead) {
	l.drop()
	r.start, r.end, r.lateness = off, off+int64(length), newLateness()
	l.last = append(l.last[max(len(l.last)+1-maxLate, 0):], r)
}

// find is the last of the reads that are not over that had the byte at off; nil: none
// had. mu is held.
func (l *lateReads) find(off int64) *lateRead {
	for i := len(l.last) - 1; i >= 0; i-- {
		if r := &l.last[i]; r.start <= off && off < r.end && !r.over() {
			return r
		}
	}
	return nil
}

// drop forgets the oldest reads as far as they are over: nobody pays for an outage that
// has passed. mu is held.
func (l *lateReads) drop() {
	n := 0
	for n < len(l.last) && l.last[n].over() {
		n++
	}
	l.last = l.last[n:]
}

// again is the error of a read from off on that repeats one of those; 0 when it is
// another one.
func (l *lateReads) again(off int64) syscall.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
	r := l.find(off)
	if r == nil || !r.late && r.tries < lateTry {
		return 0
	}
	if r.late { // who waits for a page that failed promptly is here within lateFor
		r.lateness.last = time.Now()
	}
	return r.code
}

// goesOn says whether a read from off on goes on where one of those ended that was late
// less than lateFor ago, and when it has to end. What goes on behind that is not bounded
// again: a server that needs longer than lateFor would never be waited for.
func (l *lateReads) goesOn(off int64) (until time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.last) - 1; i >= 0; i-- {
		r := &l.last[i]
		until = r.began.Add(lateFor)
		if r.end == off && r.late && !r.wentOn && time.Now().Before(until) {
			return until, true
		}
	}
	return time.Time{}, false
}

// lateNames are the names of a directory whose look-ups were late; "" stands for its
// listing. The zero value is ready. Safe for concurrent use.
type lateNames struct {
	mu sync.Mutex
	at map[string]lateness // guarded by mu
}

// note takes in that the look-up of name was late.
func (l *lateNames) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.at) >= maxLate {
		for other, at := range l.at {
			if at.over() {
				delete(l.at, other)
			}
		}
	}
	if l.at == nil || len(l.at) >= maxLate {
		l.at = map[string]lateness{}
	}
	l.at[name] = newLateness()
}

// again says whether a look-up of name repeats one of those.
func (l *lateNames) again(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.at[name]
	if !ok || at.over() {
		return false
	}
	at.last = time.Now()
	l.at[name] = at
	return true
}
