package zsyncclient

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// Priority of a fetch: background ones wait while the host has foreground ones under way.
type Priority int

// The priorities.
const (
	Foreground Priority = iota
	Background
)

// Source is where the blocks of one target come from: its URL candidates, in
// order of preference, with what is known of each. Safe for concurrent use.
type Source struct {
	c       *Client
	header  *format.Header
	geo     format.Geometry
	buffers sync.Pool // of *[]byte, bufferSize(geo) long
	packed  packedCopies

	mu         sync.Mutex
	candidates []*candidate // the slice itself never changes
	current    *candidate   // the one that served last; guarded by mu
}

// NewSource resolves the candidates of ctl: each listed URL against URL, then
// against Final, then the control file's URL without ".zsync", then mirrors (one
// that ends in "/" is a folder that has the file under the same name), then the
// gzip copies (Header.ZURLs) like the listed URLs. Duplicates are dropped. URL may
// be nil: then only absolute listed URLs and mirrors of the file itself remain.
// No request is made.
func (c *Client) NewSource(ctl *Control, mirrors []*url.URL) *Source {
	s := &Source{c: c, header: ctl.Header, geo: ctl.Header.Geometry(), candidates: candidatesOf(ctl, mirrors)}
	size := bufferSize(s.geo)
	s.buffers.New = func() any { b := make([]byte, size); return &b }
	s.initPacked()
	return s
}

// Rate is the smoothed rate (bytes/s; 0 unknown) and round trip of the source's
// current host. With Options.LimitRate it is no more than that, and that while it
// is unknown.
func (s *Source) Rate() (bytesPerSecond float64, rtt time.Duration) {
	s.mu.Lock()
	cand := s.current
	s.mu.Unlock()
	if cand != nil {
		bytesPerSecond, rtt = s.hostOf(cand).speed()
	}
	if l := s.c.limit.Load(); l != nil && (bytesPerSecond == 0 || bytesPerSecond > l.rate) {
		bytesPerSecond = l.rate
	}
	return bytesPerSecond, rtt
}

// Fetch fetches blocks r with single-range requests, verifies each against its
// record and gives runs of whole, verified blocks to deliver in order, as they
// arrive (about 256 KiB at a time, or a block if that is larger; data is only
// valid during the call). records returns the records of a sub-range of r; it may
// wait, also for requests of this Client, but not for a Fetch of it.
//
// A candidate that fails is left for the next; a fetch goes on where the last
// verified block ended. Temporary failures (timeouts, resets, 5xx, 429) are
// retried with backoff until ctx ends.
//
// Errors: ErrNoRanges when the remaining candidates are right but answer no
// ranges (then use FetchAll); *SourceError naming each candidate with the
// reason, without any request while all of them are left alone; deliver's or
// records' error as it is; ctx's, with the last failure wrapped beside it.
func (s *Source) Fetch(ctx context.Context, r format.BlockRange, pri Priority,
	records func(context.Context, format.BlockRange) ([]byte, error),
	deliver func(first format.BlockID, data []byte) error) error {
	if r.Start < 0 || r.End > s.geo.All().End {
		return fmt.Errorf("%v lie outside of the target's %d", r, s.geo.BlockCount())
	}
	if r.Count() == 0 {
		return nil
	}
	return s.newFetch(pri, records, deliver, r).work(ctx, false)
}
