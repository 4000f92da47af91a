package fs

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
)

// lateFor is how long the kernel may take to ask again.
const lateFor = time.Second

// late is the read that failed last because it waited for the read deadline. The
// kernel asks for a page that it tried to read ahead once more, at once, when that
// failed: a program would wait twice as long as it was told.
type late struct {
	mu         sync.Mutex
	start, end int64         // guarded by mu
	at         time.Time     // guarded by mu
	code       syscall.Errno // guarded by mu; 0: none
}

// isLate says whether a read with this context failed for want of time.
func isLate(ctx context.Context, err error) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), errInterrupted) || errors.Is(err, target.ErrStalled)
}

// note takes in that a read of length bytes from off on was late.
func (l *late) note(off int64, length int, code syscall.Errno) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start, l.end, l.at, l.code = off, off+int64(length), time.Now(), code
}

// again is the error of a read from off on that repeats the one before, once;
// 0 when it is another one.
func (l *late) again(off int64) syscall.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.code == 0 || off < l.start || off >= l.end || time.Since(l.at) > lateFor {
		return 0
	}
	code := l.code
	l.code = 0
	return code
}
