package daemon

import (
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
)

const (
	// historyPause is how far samples are apart, and historyLength how many are kept: of
	// the last five minutes.
	historyPause  = time.Second
	historyLength = 300
	// rateOver is the time that a rate is the mean of.
	rateOver = 3 * time.Second
)

// Sample is what a mount had done until a moment; numbers are bytes, all since the mount
// was made.
type Sample struct {
	Time        time.Time
	Received    int64 // over HTTP
	LocalBytes  int64 // given to programs at once
	WaitedBytes int64 // given to them after a wait
}

// history are the last samples of a mount. Safe for concurrent use.
type history struct {
	mu      sync.Mutex
	samples []Sample         // the oldest first; guarded by mu
	fetched map[string]*pace // by the URL of the control file; guarded by mu
}

// pace is how fast one artifact is fetched.
type pace struct {
	fetched int64
	at      time.Time
	rate    float64 // bytes/s, smoothed
	seen    bool    // in the last sample
}

// note adds a sample, and what the open artifacts have fetched.
func (h *history) note(s Sample, open []target.Stats) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.samples) == historyLength {
		copy(h.samples, h.samples[1:])
		h.samples = h.samples[:historyLength-1]
	}
	h.samples = append(h.samples, s)
	if h.fetched == nil {
		h.fetched = map[string]*pace{}
	}
	for _, t := range open {
		p := h.fetched[t.URL]
		if p == nil || t.Fetched < p.fetched { // new, or opened anew
			p = &pace{at: s.Time}
			h.fetched[t.URL] = p
		} else if dt := s.Time.Sub(p.at).Seconds(); dt > 0 {
			const weight = 0.4 // of the newest
			p.rate += weight * (float64(t.Fetched-p.fetched)/dt - p.rate)
		}
		p.fetched, p.at, p.seen = t.Fetched, s.Time, true
	}
	for url, p := range h.fetched {
		if !p.seen {
			delete(h.fetched, url)
		}
		p.seen = false
	}
}

// rate is what was received in the last seconds, in bytes/s.
func (h *history) rate() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.samples)
	if n < 2 {
		return 0
	}
	last := h.samples[n-1]
	first := h.samples[n-2]
	for i := n - 2; i >= 0 && last.Time.Sub(h.samples[i].Time) <= rateOver; i-- {
		first = h.samples[i]
	}
	return float64(last.Received-first.Received) / last.Time.Sub(first.Time).Seconds()
}

// rateOf is how fast the artifact of that control file is fetched, in bytes/s.
func (h *history) rateOf(url string) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.fetched[url]; p != nil && p.rate >= 1 {
		return p.rate
	}
	return 0
}

// all are the samples, the oldest first.
func (h *history) all() []Sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Sample{}, h.samples...)
}

// sample takes one of each mount, again and again, until d ends.
func (d *Daemon) sample() {
	tick := time.NewTicker(historyPause)
	defer tick.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-tick.C:
		}
		for m := range d.mountedNow() {
			m.sample(time.Now())
		}
	}
}

func (m *mounted) sample(now time.Time) {
	s := Sample{Time: now, Received: m.client.Stats().BytesReceived}
	if f := m.fs.Load(); f != nil {
		reads := f.Stats()
		s.LocalBytes, s.WaitedBytes = reads.LocalBytes, reads.WaitedBytes
	}
	m.history.note(s, m.pool.Stats())
}
