package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// errInterrupted is the cause of a request's context when its caller is dying.
var errInterrupted = errors.New("the caller was interrupted")

// errno is the table from errors to what a program sees.
//
//	not in the archive           ENOENT
//	401, 403 from the server     EACCES
//	replaced on the server       ESTALE
//	the caller is dying          EINTR
//	everything else              EIO
func errno(err error) syscall.Errno {
	var status *zsyncclient.StatusError
	switch {
	case err == nil, err == io.EOF: // a wrapped one is a connection that was closed
		return 0
	case errors.Is(err, archive.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, target.ErrTargetChanged):
		return syscall.ESTALE
	case errors.Is(err, errInterrupted):
		return syscall.EINTR
	case errors.As(err, &status) && (status.Code == 401 || status.Code == 403):
		return syscall.EACCES
	}
	return syscall.EIO
}

// logPause is how long the same text about the same path is not logged again.
const logPause = 10 * time.Second

// faultLog passes errors on, the same one at most once in logPause.
type faultLog struct {
	log func(path string, err error)

	mu   sync.Mutex
	last map[string]time.Time // guarded by mu
}

func newFaultLog(log func(string, error)) *faultLog {
	return &faultLog{log: log, last: map[string]time.Time{}}
}

// fault logs err of op on path, unless it is an everyday answer, and returns
// its errno. ctx is the request's.
func (l *faultLog) fault(ctx context.Context, op, path string, err error) syscall.Errno {
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return syscall.EINTR
	}
	code := errno(err)
	switch code {
	case 0, syscall.ENOENT, syscall.EINTR:
		return code
	}
	text := op + "\x00" + path + "\x00" + err.Error()
	now := time.Now()
	l.mu.Lock()
	repeated := now.Sub(l.last[text]) < logPause
	if len(l.last) > 1000 {
		clear(l.last)
	}
	if !repeated {
		l.last[text] = now
	}
	l.mu.Unlock()
	if !repeated {
		l.log(path, fmt.Errorf("%s: %w (%s)", op, err, code))
	}
	return code
}
