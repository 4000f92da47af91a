package fs

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
)

// lateFor is how long a read that was late is the answer to others of the same bytes.
const lateFor = time.Second

// lateLimit is how many reads that were late are remembered of a version.
const lateLimit = 64

// late are the reads of a version that failed lately because they waited for the read
// deadline. The kernel asks for a page that it tried to read ahead once more, at once,
// when that failed, and again for each program that waited for the page meanwhile, one
// after the other: each would wait longer by a deadline than the one before.
type late struct {
	mu    sync.Mutex
	reads []lateRead // guarded by mu; the oldest first
}

// lateRead is a read of bytes [start, end) that was late.
type lateRead struct {
	start, end int64
	at         time.Time
	code       syscall.Errno
}

// isLate says whether a read with this context failed for want of time.
func isLate(ctx context.Context, err error) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), errInterrupted) || errors.Is(err, target.ErrStalled)
}

// note takes in that a read of length bytes from off on was late.
func (l *late) note(off int64, length int, code syscall.Errno) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
	if len(l.reads) == lateLimit {
		l.reads = append(l.reads[:0], l.reads[1:]...)
	}
	l.reads = append(l.reads, lateRead{off, off + int64(length), time.Now(), code})
}

// again is the error of a read of the byte at off, when one of it was late just now;
// 0 when none was.
func (l *late) again(off int64) syscall.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
	for _, r := range l.reads {
		if r.start <= off && off < r.end {
			return r.code
		}
	}
	return 0
}

// drop forgets what was late too long ago. mu is held.
func (l *late) drop() {
	n := 0
	for n < len(l.reads) && time.Since(l.reads[n].at) > lateFor {
		n++
	}
	l.reads = append(l.reads[:0], l.reads[n:]...)
}
