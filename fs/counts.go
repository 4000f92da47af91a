package fs

import (
	"slices"
	"sync/atomic"
	"time"
)

// Stats count the reads that reached this file system. What the kernel answers itself,
// from its page cache or a file that it reads by itself (passthrough), is not among them.
type Stats struct {
	// Local reads were answered at once from what was here; Waited ones had to wait for
	// a server, or for a search in what is here. Failed ones of both got an error.
	Local, Waited, Failed int64
	// LastFailure is the latest of the Failed; nil: none did.
	LastFailure *ReadFailure
	// LocalBytes and WaitedBytes were given to their readers.
	LocalBytes, WaitedBytes int64
	// Wait is how long the Waited reads took.
	Wait Histogram
}

// ReadFailure is a read that got an error.
type ReadFailure struct {
	Path string // of the file in the mount
	Err  error
	Time time.Time
}

// Histogram counts durations by upper bounds.
type Histogram struct {
	Bounds []time.Duration // ascending
	Counts []int64         // one more than Bounds: the last for what is longer
	Sum    time.Duration
}

// waitBounds are from a server next door to the read deadline.
var waitBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// counts are of an FS. Safe for concurrent use.
type counts struct {
	local, waited, failed   atomic.Int64
	localBytes, waitedBytes atomic.Int64
	lastFailure             atomic.Pointer[ReadFailure]
	wait                    [len(waitBounds) + 1]atomic.Int64 // as Histogram.Counts
	waitSum                 atomic.Int64                      // ns
}

// readLocal notes a read that did not wait.
func (c *counts) readLocal(n int) {
	c.local.Add(1)
	c.localBytes.Add(int64(n))
}

// readWaited notes a read that waited since began.
func (c *counts) readWaited(n int, began time.Time) {
	took := time.Since(began)
	i, _ := slices.BinarySearch(waitBounds[:], took)
	c.wait[i].Add(1)
	c.waitSum.Add(int64(took))
	c.waited.Add(1)
	c.waitedBytes.Add(int64(n))
}

// readFailed notes a read of either kind that failed.
func (c *counts) readFailed(path string, err error) {
	c.failed.Add(1)
	c.lastFailure.Store(&ReadFailure{Path: path, Err: err, Time: time.Now()})
}

// Stats is a snapshot. Safe for concurrent use.
func (f *FS) Stats() Stats {
	c := &f.counts
	s := Stats{
		Local: c.local.Load(), Waited: c.waited.Load(), Failed: c.failed.Load(), LastFailure: c.lastFailure.Load(),
		LocalBytes: c.localBytes.Load(), WaitedBytes: c.waitedBytes.Load(),
		Wait: Histogram{Bounds: waitBounds[:], Sum: time.Duration(c.waitSum.Load())},
	}
	for i := range c.wait {
		s.Wait.Counts = append(s.Wait.Counts, c.wait[i].Load())
	}
	return s
}
