//go:build unix

package signals

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

func TestCatch(t *testing.T) {
	ctx, c := Catch(context.Background())
	defer c.Close()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	var ended *Ended
	if err := context.Cause(ctx); !errors.As(err, &ended) || ended.Signal != syscall.SIGTERM {
		t.Error(err)
	}
}

// What is released is not caught any more, and cancels nothing.
func TestRelease(t *testing.T) {
	all := make(chan os.Signal, 1) // in place of death
	signal.Notify(all, syscall.SIGTERM)
	defer signal.Stop(all)
	ctx, c := Catch(context.Background())
	c.Release()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-all
	c.waiting.Wait()
	if ctx.Err() != nil {
		t.Error("it was caught")
	}
	c.Close()
	if ctx.Err() == nil {
		t.Error("Close left the context")
	}
}
