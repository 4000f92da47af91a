package signals

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

func TestExplain(t *testing.T) {
	failed := errors.New("failed")
	for _, tt := range []struct {
		cause, err error
		code       report.Code // of what it is explained as
	}{
		{nil, nil, 0},
		{nil, failed, 1},
		{&Ended{Signal: os.Interrupt}, nil, 0}, // it came when all was done
		{&Ended{Signal: os.Interrupt}, failed, 130},
		{&Ended{Signal: syscall.SIGTERM}, report.WithCode(7, failed), 143},
		{errors.New("another cause"), failed, 1},
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		if tt.cause != nil {
			cancel(tt.cause)
		}
		err := Explain(ctx, tt.err)
		code, _ := report.Program{}.Translate(err)
		if code != tt.code || !errors.Is(err, tt.err) {
			t.Errorf("%v, %v: %v with code %d, want %d", tt.cause, tt.err, err, code, tt.code)
		}
		if code > 128 && !errors.Is(err, context.Canceled) {
			t.Errorf("%v is not cancelled", err)
		}
		cancel(nil)
	}
}
