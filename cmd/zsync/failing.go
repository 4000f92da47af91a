package main

import (
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

const (
	// enoughBytes are more than error pages and single bytes, between two looks at
	// the counters.
	enoughBytes = 16 << 10
	// mostAgain is how often bytes may come anew after a failure, without a new
	// block, and still be a sign that there is something to be waited for: a body
	// that is streamed anew passes first what is here. After that only a body is one
	// that has come clearly further than those that broke.
	mostAgain = 3
)

// failing tells since when a server has not answered well, and not sent much either:
// a body that goes on where one broke off has not answered well until its end. Not
// safe for concurrent use.
type failing struct {
	stats    func() zsyncclient.Stats
	progress func() download.Progress

	known      int64 // of the target, at the last look
	again      int   // times that bytes came anew after a failure, since known grew
	stretch    int64 // bytes since the last failure
	longest    int64 // the longest stretch that a failure ended, since known grew
	received   int64 // when enough had come
	errors     int64 // at that time, too
	receivedAt time.Time
}

// since looks at the counters. The zero time: all servers answer well.
func (f *failing) since() (since time.Time) {
	stats := f.stats()
	for _, h := range stats.Hosts {
		if since.IsZero() || !h.FailingSince.IsZero() && h.FailingSince.Before(since) {
			since = h.FailingSince
		}
	}
	f.look(stats)
	if !since.IsZero() && f.receivedAt.After(since) {
		since = f.receivedAt
	}
	return since
}

// look notes when enough bytes came that may bring a block.
func (f *failing) look(stats zsyncclient.Stats) {
	if known := f.progress().Known; known != f.known {
		f.known, f.again, f.longest, f.errors = known, 0, 0, stats.Errors
	}
	came := stats.BytesReceived - f.received
	if came < enoughBytes {
		return
	}
	if stats.Errors > f.errors {
		f.again++
		f.longest, f.stretch = max(f.longest, f.stretch), 0
	}
	f.stretch += came
	f.received, f.errors = stats.BytesReceived, stats.Errors
	if f.again <= mostAgain || f.stretch > f.longest+f.longest/4 {
		f.receivedAt = time.Now()
	}
}
