package zsyncclient

import (
	"slices"
	"strings"
	"time"
)

// Stats is a snapshot of the client's counters.
type Stats struct {
	// Requests, BytesReceived (of bodies) and Errors (failed tries) since New.
	Requests, BytesReceived, Errors int64
	// Hosts are sorted by Host; hosts long unused may be missing.
	Hosts []HostStats
}

// HostStats are the counters of one host.
type HostStats struct {
	// Host is host:port.
	Host                            string
	Requests, BytesReceived, Errors int64
	// Kinds are the Errors by their kind.
	Kinds [kindCount]int64
	// FailingSince is zero while the host answers.
	FailingSince time.Time
	// RTT and BytesPerSecond are smoothed; 0 means unknown.
	RTT            time.Duration
	BytesPerSecond float64
}

// counters are what survives of a host.
type counters struct {
	requests, received, errors int64
	kinds                      [kindCount]int64 // the errors by their kind
}

func (c *counters) add(o counters) {
	c.requests += o.requests
	c.received += o.received
	c.errors += o.errors
	for k, n := range o.kinds {
		c.kinds[k] += n
	}
}

// Stats is a snapshot of the client's counters.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	sum := c.past
	hosts := make([]*host, 0, len(c.hosts))
	for _, h := range c.hosts {
		hosts = append(hosts, h)
	}
	c.mu.Unlock()
	var s Stats
	for _, h := range hosts {
		hs := h.stats()
		s.Hosts = append(s.Hosts, hs)
		sum.add(counters{hs.Requests, hs.BytesReceived, hs.Errors, hs.Kinds})
	}
	slices.SortFunc(s.Hosts, func(a, b HostStats) int { return strings.Compare(a.Host, b.Host) })
	s.Requests, s.BytesReceived, s.Errors = sum.requests, sum.received, sum.errors
	return s
}

func (h *host) stats() HostStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return HostStats{
		Host: h.name, Requests: h.count.requests, BytesReceived: h.received.Load(), Errors: h.count.errors,
		Kinds: h.count.kinds, FailingSince: h.failingSince, RTT: h.rtt, BytesPerSecond: h.rate,
	}
}
