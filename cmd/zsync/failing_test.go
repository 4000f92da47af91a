package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// What counts as a sign that a server which is failing may bring something yet.
func TestFailingSince(t *testing.T) {
	const looks, pause = 20, 4 * time.Second
	type look struct{ bytes, errors, known int64 } // since the one before
	for name, tc := range map[string]struct {
		at    func(i int) look
		first bool // whether since is when the host began to fail
		last  int  // else the look that it is
	}{
		"nothing comes":        {at: func(int) look { return look{0, 1, 0} }, first: true},
		"error pages":          {at: func(int) look { return look{500, 1, 0} }, first: true},
		"a body goes on":       {at: func(int) look { return look{1 << 20, 0, 0} }, last: looks},
		"blocks come":          {at: func(int) look { return look{1 << 20, 1, 1 << 20} }, last: looks},
		"bodies only break":    {at: func(int) look { return look{1 << 20, 1, 0} }, last: mostAgain},
		"many break at a time": {at: func(int) look { return look{1 << 20, 50, 0} }, last: mostAgain},
		"bodies only stall": {at: func(i int) look {
			if i%2 == 0 {
				return look{0, 1, 0}
			}
			return look{1 << 20, 0, 0}
		}, last: 2*mostAgain + 1},
		"a body comes through in the end": {at: func(i int) look {
			if i <= mostAgain-1 {
				return look{1 << 20, 1, 0}
			}
			return look{1 << 20, 0, 0}
		}, last: looks},
		"bodies break, and one goes on": {at: func(i int) look {
			if i <= 2*mostAgain {
				return look{1 << 20, 1, 0}
			}
			return look{1 << 20, 0, 0}
		}, last: looks},
		"an outage, then a body": {at: func(i int) look {
			if i < looks/2 {
				return look{0, 1, 0}
			}
			return look{1 << 20, 0, 0}
		}, last: looks},
		"a block, then bodies only break": {at: func(i int) look {
			if i == looks/2 {
				return look{1 << 20, 1, 1 << 20}
			}
			return look{1 << 20, 1, 0}
		}, last: looks/2 + mostAgain},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				stats := zsyncclient.Stats{Hosts: []zsyncclient.HostStats{{FailingSince: began}}}
				var p download.Progress
				f := failing{stats: func() zsyncclient.Stats { return stats }, progress: func() download.Progress { return p }}
				var since time.Time
				for i := 1; i <= looks; i++ {
					time.Sleep(pause)
					n := tc.at(i)
					stats.BytesReceived += n.bytes
					stats.Errors += n.errors
					p.Known += n.known
					since = f.since()
				}
				want := began
				if !tc.first {
					want = began.Add(time.Duration(tc.last) * pause)
				}
				if since != want {
					t.Errorf("failing since %v after it began, want %v", since.Sub(began), want.Sub(began))
				}
				stats.Hosts[0].FailingSince = time.Time{}
				if since := f.since(); !since.IsZero() {
					t.Errorf("failing since %v while all is well", since)
				}
			})
		})
	}
}
