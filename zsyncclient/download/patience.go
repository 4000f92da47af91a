package download

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const defaultPatience = 30 * time.Second

// patiently calls fetch, which tries again for as long as its context lasts, and
// ends that when no block arrives any more.
func (d *Download) patiently(ctx context.Context, fetch func(context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	var gaveUp time.Duration // the goroutine's until it has ended
	var wg sync.WaitGroup
	wg.Go(func() {
		if gaveUp = d.waitForNothing(inner); gaveUp > 0 {
			cancel()
		}
	})
	err := fetch(inner)
	cancel()
	wg.Wait()
	if gaveUp > 0 && err != nil && ctx.Err() == nil && !isWriteError(err) {
		return fmt.Errorf("no block arrived for %v: %w", gaveUp, lastFailure(err))
	}
	return err
}

// waitForNothing returns how long no block came when that is as long as patience
// lasts and a host was failing meanwhile, and 0 when ctx ended.
func (d *Download) waitForNothing(ctx context.Context) time.Duration {
	tick := time.NewTicker(max(d.o.Patience/8, time.Millisecond))
	defer tick.Stop()
	fetched, since := d.fetched.Load(), time.Now()
	patience := d.o.Patience
	if fetched == 0 {
		patience /= 3 // likely there is nothing to be waited for
	}
	for {
		select {
		case <-ctx.Done():
			return 0
		case <-tick.C:
		}
		if now := d.fetched.Load(); now != fetched {
			fetched, since, patience = now, time.Now(), d.o.Patience
			continue
		}
		failing := d.o.FailingSince()
		if !failing.IsZero() && time.Since(failing) >= patience && time.Since(since) >= patience {
			return patience
		}
	}
}

// errNoAnswer: nothing at all is known about why nothing arrives.
var errNoAnswer = errors.New("no answer")

// lastFailure is what an ended fetch says beside that its context ended.
func lastFailure(err error) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			if !errors.Is(e, context.Canceled) {
				return e
			}
		}
	}
	if errors.Is(err, context.Canceled) {
		return errNoAnswer
	}
	return err
}
