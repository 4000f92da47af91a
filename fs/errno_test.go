package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
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
		{context.Canceled, syscall.EIO},
		{&url.Error{Op: "Get", URL: "http://h/", Err: io.EOF}, syscall.EIO},
		{fmt.Errorf("body: %w", io.ErrUnexpectedEOF), syscall.EIO},
		{context.DeadlineExceeded, syscall.EIO},
		{target.ErrSuspect, syscall.EIO},
		{target.ErrClosed, syscall.EIO},
		{errors.New("anything"), syscall.EIO},
	} {
		if got := errno(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
		if c.err == nil || c.err == io.EOF {
			continue
		}
		if got := errno(fmt.Errorf("wrapped: %w", c.err)); got != c.want {
			t.Errorf("%v, wrapped: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestFaultsAreLoggedOnce(t *testing.T) {
	ctx := t.Context()
	var logged []string
	l := newFaultLog(func(path string, err error) { logged = append(logged, path+": "+err.Error()) })
	for range 5 {
		l.fault(ctx, "read at 0", "x", target.ErrSuspect)
	}
	l.fault(ctx, "read at 0", "y", target.ErrSuspect)
	l.fault(ctx, "look up", "z", archive.ErrNotExist)
	dying, cancel := context.WithCancelCause(ctx)
	cancel(errInterrupted)
	if code := l.fault(dying, "look up", "w", context.Canceled); code != syscall.EINTR {
		t.Errorf("a dying caller got %v", code)
	}
	if len(logged) != 2 {
		t.Errorf("logged %q", logged)
	}
	// What goes on is told again, also when it never pauses.
	for range 3 {
		for text, at := range l.last {
			l.last[text] = at.Add(-logPause / 2)
		}
		l.fault(ctx, "read at 0", "x", target.ErrSuspect)
	}
	if len(logged) != 3 {
		t.Errorf("logged %q", logged)
	}
}
