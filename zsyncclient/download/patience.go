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
// ends that when nothing arrives any more.
func (d *Download) patiently(ctx context.Context, fetch func(context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	gaveUp := false // the goroutine's until it has ended
	var wg sync.WaitGroup
	wg.Go(func() {
		if gaveUp = d.waitForNothing(inner); gaveUp {
			cancel()
		}
	})
	err := fetch(inner)
	cancel()
	wg.Wait()
	if gaveUp && err != nil && ctx.Err() == nil && !isWriteError(err) {
		return fmt.Errorf("nothing arrived for %v: %w", d.o.Patience, lastFailure(err))
	}
	return err
}

// waitForNothing returns true when no block came for as long as patience lasts
// while a host was failing, and false when ctx ended.
func (d *Download) waitForNothing(ctx context.Context) bool {
	tick := time.NewTicker(max(d.o.Patience/8, time.Millisecond))
	defer tick.Stop()
	fetched, since := d.fetched.Load(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		if now := d.fetched.Load(); now != fetched {
			fetched, since = now, time.Now()
			continue
		}
		failing := d.o.FailingSince()
		if !failing.IsZero() && time.Since(failing) >= d.o.Patience && time.Since(since) >= d.o.Patience {
			return true
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
