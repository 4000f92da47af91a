package zsyncclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Backoff of a host's gate after failed tries.
const (
	firstBackoff = 150 * time.Millisecond
	maxBackoff   = 20 * time.Second
	// maxRetryAfter bounds what a server's Retry-After is honoured to: one reply must
	// not keep all readers away for long.
	maxRetryAfter = time.Minute
	// Bytes of use after which a failure counts as the first again. What only is
	// received counts for nothing: a body that always breaks off at the same place
	// would be asked for without a pause, for ever.
	goodProgress = 64 << 10
)

// class of a request. A data request may wait for a control request, never the
// other way round, so data requests leave connections over.
type class int

const (
	control class = iota
	data
)

// host is the state of one server: its gate, its connections in use, and what
// was measured.
type host struct {
	name     string
	max      int         // connections
	limited  atomic.Bool // a rate limit holds
	received atomic.Int64

	mu         sync.Mutex
	wake       chan struct{} // closed and replaced when a waiter should look again; guarded by mu
	limit      int           // requests at once, 1..max; guarded by mu
	credit     int           // successes since limit last moved; guarded by mu
	controls   int           // control requests under way; guarded by mu
	datas      int           // data requests under way; guarded by mu
	foreground int           // foreground requests under way or waiting; guarded by mu
	waiting    int           // callers in enter; guarded by mu

	shut         bool      // one try at a time, from notBefore on; guarded by mu
	probing      bool      // that one try is under way; guarded by mu
	notBefore    time.Time // end of the backoff slot; guarded by mu
	level        int       // failed slots in a row; guarded by mu
	generation   int       // counts failed slots; guarded by mu
	lastErr      error     // guarded by mu
	failingSince time.Time // guarded by mu

	atOnce atOnce // guarded by mu

	count counters      // received is kept above; guarded by mu
	rtt   time.Duration // guarded by mu
	rate  float64       // bytes/s; guarded by mu
}

func newHost(name string, maxConns int) *host {
	return &host{name: name, max: maxConns, limit: maxConns, wake: make(chan struct{})}
}

// visit is one try that the gate let in. Exactly one of ok, fail and leave ends it.
type visit struct {
	h          *host
	class      class
	pri        Priority
	probe      bool // cleared by progress; guarded by h.mu
	generation int
	used       int64 // bytes that were of use, so far: kept, or delivered; the visitor's own
	ended      bool  // guarded by h.mu
}

// enter waits until the gate lets this request in. With patience > 0 it waits
// no longer than that, and not at all when the slot ends later. A data request
// does not wait through a failed slot: it may have another host to go to.
//
// Errors: *backoffError in these cases; ctx's with the host's last failure.
func (h *host) enter(ctx context.Context, cl class, pri Priority, patience time.Duration) (*visit, error) {
	var giveUp <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		giveUp = t.C
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting++
	defer func() { h.waiting-- }()
	if pri == Foreground {
		h.foreground++
	}
	generation := h.generation
	for {
		if v := h.admit(cl, pri); v != nil {
			return v, nil
		}
		err := ctx.Err()
		tooLong := patience > 0 && h.shut && time.Until(h.notBefore) > patience
		failed := cl == data && h.generation != generation && h.lastErr != nil // nil: it is well again
		if err == nil && (tooLong || failed) {
			err = &backoffError{h.name, h.lastErr}
		}
		if err == nil {
			err = h.wait(ctx, giveUp)
		}
		if err != nil {
			if pri == Foreground {
				h.foreground--
				h.wakeAll()
			}
			return nil, err
		}
	}
}

// wait returns when it may be worth to look again; h.mu is held before and after.
func (h *host) wait(ctx context.Context, giveUp <-chan time.Time) error {
	var slot <-chan time.Time
	if h.shut && !h.probing {
		t := time.NewTimer(max(time.Until(h.notBefore), time.Millisecond))
		defer t.Stop()
		slot = t.C
	}
	wake, lastErr := h.wake, h.lastErr
	h.mu.Unlock()
	defer h.mu.Lock()
	select {
	case <-ctx.Done():
		return endedError(ctx.Err(), lastErr)
	case <-giveUp:
		if lastErr == nil {
			lastErr = errors.New("too many requests under way")
		}
		return &backoffError{h.name, lastErr}
	case <-wake:
	case <-slot:
	}
	return nil
}

// admit lets a request in or returns nil; h.mu is held.
func (h *host) admit(cl class, pri Priority) *visit {
	if h.shut && (h.probing || time.Now().Before(h.notBefore)) {
		return nil
	}
	if !h.room(cl, pri) {
		return nil
	}
	v := &visit{h: h, class: cl, pri: pri, probe: h.shut, generation: h.generation}
	h.probing = h.probing || v.probe
	if cl == control {
		h.controls++
	} else {
		h.datas++
	}
	h.count.requests++
	return v
}

// awaited is the priority of a body whose first bytes are still to come: others
// wait at the gate for those of a probe.
func (v *visit) awaited() Priority {
	v.h.mu.Lock()
	defer v.h.mu.Unlock()
	if v.probe {
		return Foreground
	}
	return v.pri
}

// room says whether one more request may be under way; h.mu is held.
func (h *host) room(cl class, pri Priority) bool {
	used := h.controls + h.datas
	if cl == control {
		// One always may: a data request under way may be waiting for it.
		return used < h.limit || h.controls == 0
	}
	most := max(h.limit-2, 1)
	if pri == Background {
		if h.foreground > 0 {
			return false
		}
		most = max(h.limit-3, 1)
		if h.limited.Load() {
			// They may wait long for the foreground, each with a connection.
			most = max((h.limit-2)/2, 1)
		}
	}
	return h.datas < most && used < max(h.limit, 1)
}

func (h *host) wakeAll() {
	close(h.wake)
	h.wake = make(chan struct{})
}

// release gives back what admit took; h.mu is held.
func (v *visit) release() {
	v.ended = true
	h := v.h
	if v.class == control {
		h.controls--
	} else {
		h.datas--
	}
	if v.pri == Foreground {
		h.foreground--
	}
	if v.probe {
		v.probe, h.probing = false, false
	}
	h.wakeAll()
}

// progress: the body's first bytes are here, so the gate may open.
func (v *visit) progress() {
	h := v.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.probe {
		v.probe, h.probing, h.shut = false, false, false
		h.wakeAll()
	}
}

// ok: the try got what it wanted.
func (v *visit) ok() {
	h := v.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.ended {
		return
	}
	if v.probe || v.generation == h.generation {
		h.shut, h.level, h.lastErr, h.failingSince = false, 0, nil, time.Time{}
	}
	if h.limit < h.max {
		if h.credit++; h.credit >= 4*h.limit {
			h.limit, h.credit = h.limit+1, 0
		}
	}
	v.release()
}

// leave: the caller went away; nothing is known of the host.
func (v *visit) leave() {
	v.h.mu.Lock()
	defer v.h.mu.Unlock()
	if !v.ended {
		v.release()
	}
}

// fail: the host failed this try. retryAfter is what it asked for, 0 if
// nothing. slower halves the number of requests at once. Of the tries that were
// under way together only the first that fails moves the backoff.
func (v *visit) fail(err error, retryAfter time.Duration, slower bool) {
	h := v.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.ended {
		return
	}
	h.count.errors++
	h.count.kinds[kindOf(err)]++
	h.lastErr = err
	if v.generation == h.generation {
		h.generation++
		h.level++
		if v.used >= goodProgress {
			h.level = 1
		}
		if slower {
			h.limit, h.credit = max(h.limit/2, 1), 0
		}
		if h.failingSince.IsZero() {
			h.failingSince = time.Now()
		}
		h.shut = true
		h.notBefore = time.Now().Add(max(backoff(h.level), min(retryAfter, maxRetryAfter)))
	}
	v.release()
}

// backoff is the length of slot level (from 1), with jitter.
func backoff(level int) time.Duration {
	d := maxBackoff
	if level < 10 {
		d = min(firstBackoff<<max(level-1, 0), maxBackoff)
	}
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}

// readyIn is how long the gate stays shut: 0 when a request may go now.
func (h *host) readyIn() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.shut {
		return 0
	}
	return max(time.Until(h.notBefore), time.Millisecond)
}

// retire says whether the host is unused, and what it counted.
func (h *host) retire() (counters, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := h.count
	sum.received = h.received.Load()
	failing := h.shut && time.Now().Before(h.notBefore)
	return sum, h.controls+h.datas+h.waiting == 0 && !failing
}

// measured takes a round trip and, of bodies that are large enough, a rate.
func (h *host) measured(rtt time.Duration, bytes int64, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if rtt > 0 {
		if h.rtt == 0 {
			h.rtt = rtt
		}
		h.rtt += (rtt - h.rtt) / 8
	}
	if bytes >= goodProgress && took > 0 {
		rate := float64(bytes) / took.Seconds()
		if h.rate == 0 {
			h.rate = rate
		}
		h.rate += (rate - h.rate) / 4
	}
}

func (h *host) speed() (float64, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rate, h.rtt
}
