package fs

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
)

// The kernel lets one program after the other ask for what they all wait for, a page
// or a name: when the first failed, the next one asks again. And it asks once more by
// itself, at once, for a page that it tried to read ahead, or a name that it tried to
// confirm, when that failed. Each would wait for the whole read deadline, after the
// others. So a request that repeats one which was late a moment ago fails at once.

// lateFor is how long a request is not tried again after it was late: as long as the
// kernel needs to let all waiting programs ask.
const lateFor = time.Second

// maxLate bounds how many late requests are remembered of a version or a directory:
// of more, some wait twice.
const maxLate = 4096

// isLate says whether a request with this context failed for want of time.
func isLate(ctx context.Context, err error) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), errInterrupted) || errors.Is(err, target.ErrStalled)
}

// lateReads are the reads of a version that were late. Of more than there is room for
// the last ones are kept. The zero value is ready. Safe for concurrent use.
type lateReads struct {
	mu   sync.Mutex
	last []lateRead // the oldest first; guarded by mu
}

type lateRead struct {
	start, end int64
	at         time.Time
	code       syscall.Errno
}

// note takes in that a read of length bytes from off on was late.
func (l *lateReads) note(off int64, length int, code syscall.Errno) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	drop := max(len(l.last)+1-maxLate, 0)
	for drop < len(l.last) && now.Sub(l.last[drop].at) > lateFor {
		drop++
	}
	l.last = append(l.last[drop:], lateRead{off, off + int64(length), now, code})
}

// again is the error of a read from off on that repeats one of those; 0 when it is
// another one.
func (l *lateReads) again(off int64) syscall.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.last) - 1; i >= 0 && time.Since(l.last[i].at) <= lateFor; i-- {
		if r := l.last[i]; r.start <= off && off < r.end {
			return r.code
		}
	}
	return 0
}

// lateNames are the names of a directory whose look-ups were late; "" stands for its
// listing. The zero value is ready. Safe for concurrent use.
type lateNames struct {
	mu sync.Mutex
	at map[string]time.Time // guarded by mu
}

// note takes in that the look-up of name was late.
func (l *lateNames) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if len(l.at) >= maxLate {
		for other, at := range l.at {
			if now.Sub(at) > lateFor {
				delete(l.at, other)
			}
		}
	}
	if l.at == nil || len(l.at) >= maxLate {
		l.at = map[string]time.Time{}
	}
	l.at[name] = now
}

// again says whether a look-up of name repeats one of those.
func (l *lateNames) again(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.at[name]
	return ok && time.Since(at) <= lateFor
}
