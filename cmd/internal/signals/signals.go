// Package signals is how the programs end on SIGINT and SIGTERM: the first one
// cancels a context, so that what is under way ends in good order; the second
// one kills, because a user who presses Ctrl-C twice means it.
//
// A program that ended because of a signal has the exit code that a shell shows
// for one that the signal killed: 130 for SIGINT, 143 for SIGTERM. One whose work
// was done all the same has succeeded.
//
// Of the project it imports report.
package signals

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// Ended says that a signal ended the run. For errors.Is it is context.Canceled.
type Ended struct {
	Signal os.Signal
	err    error // what it led to
}

func (e *Ended) Error() string { return fmt.Sprintf("ended by a signal: %v", e.Signal) }
func (e *Ended) Unwrap() error { return e.err }

// Is says that a cancelled context is what it is about.
func (e *Ended) Is(target error) bool { return target == context.Canceled }

func (e *Ended) code() report.Code {
	if number, ok := e.Signal.(syscall.Signal); ok {
		return 128 + report.Code(number)
	}
	return 130
}

// Catcher waits for signals. Its methods are safe for concurrent use.
type Catcher struct {
	signals chan os.Signal
	cancel  context.CancelCauseFunc
	release sync.Once
	ended   chan struct{} // closed by Release
	waiting sync.WaitGroup
}

// Catch is a context that the first SIGINT or SIGTERM cancels, with an *Ended as
// its cause. Close must follow.
func Catch(ctx context.Context) (context.Context, *Catcher) {
	c := &Catcher{signals: make(chan os.Signal, 1), ended: make(chan struct{})}
	ctx, c.cancel = context.WithCancelCause(ctx)
	signal.Notify(c.signals, os.Interrupt, syscall.SIGTERM)
	c.waiting.Go(func() {
		select {
		case s := <-c.signals:
			signal.Stop(c.signals)
			c.cancel(&Ended{Signal: s})
		case <-c.ended:
		}
	})
	return ctx, c
}

// Release has signals kill from now on, and leaves the context as it is.
func (c *Catcher) Release() {
	c.release.Do(func() {
		signal.Stop(c.signals)
		close(c.ended)
	})
}

// Close releases the signals and the context.
func (c *Catcher) Close() {
	c.Release()
	c.waiting.Wait()
	c.cancel(nil)
}

// Explain is what err, with which the work under ctx ended, means: nothing when
// it is nil, for then the work was done; an *Ended with its exit code when a
// signal has cancelled ctx; err in all other cases.
func Explain(ctx context.Context, err error) error {
	var ended *Ended
	if err == nil || !errors.As(context.Cause(ctx), &ended) {
		return err
	}
	return report.WithCode(ended.code(), &Ended{Signal: ended.Signal, err: err})
}
