package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

func TestErrno(t *testing.T) {
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{nil, 0},
		{io.EOF, 0},
		{archive.ErrNotExist, syscall.ENOENT},
		{target.ErrTargetChanged, syscall.ESTALE},
		{&zsyncclient.StatusError{Code: 401}, syscall.EACCES},
		{&zsyncclient.StatusError{Code: 403}, syscall.EACCES},
		{&zsyncclient.StatusError{Code: 500}, syscall.EIO},
		{errInterrupted, syscall.EINTR},
		{context.Canceled, syscall.EINTR},
		{context.DeadlineExceeded, syscall.EIO},
		{target.ErrSuspect, syscall.EIO},
		{target.ErrClosed, syscall.EIO},
		{errors.New("anything"), syscall.EIO},
	} {
		if got := errno(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
		if c.err == nil {
			continue
		}
		if got := errno(fmt.Errorf("wrapped: %w", c.err)); got != c.want {
			t.Errorf("%v, wrapped: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestFaultsAreLoggedOnce(t *testing.T) {
	var logged []string
	l := newFaultLog(func(path string, err error) { logged = append(logged, path+": "+err.Error()) })
	for range 5 {
		l.fault("read at 0", "x", target.ErrSuspect)
	}
	l.fault("read at 0", "y", target.ErrSuspect)
	l.fault("look up", "z", archive.ErrNotExist)
	if len(logged) != 2 {
		t.Errorf("logged %q", logged)
	}
}
