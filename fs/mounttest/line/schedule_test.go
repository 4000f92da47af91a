package line

import (
	"math/rand/v2"
	"testing"
	"time"
)

// carried brings bytes to a schedule as fast as it takes them in, each time late
// by what late says, and returns by how much longer it took than at the rate.
func carried(rate int64, total int, late func() time.Duration) time.Duration {
	s := schedule{rate: rate}
	begin := time.Now()
	now, passed := begin, begin
	for left := total; left > 0; left -= pieceLength {
		var more time.Time
		passed, more = s.book(now, min(left, pieceLength))
		if more.After(now) {
			now = more.Add(late())
		}
	}
	ideal := time.Duration(float64(total) / float64(rate) * float64(time.Second))
	return passed.Sub(begin) - ideal
}

// Late timers cost no rate, and nothing passes faster than the rate.
func TestScheduleKeepsTheRate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, late := range map[string]func() time.Duration{
		"never":     func() time.Duration { return 0 },
		"a little":  func() time.Duration { return time.Millisecond + 100*time.Microsecond },
		"sometimes": func() time.Duration { return time.Duration(random.Int64N(int64(queueTime))) },
		"always":    func() time.Duration { return queueTime },
	} {
		for _, rate := range []int64{1_000_000, 25_000_000, 200_000_000} {
			const total = 64 << 20
			// A piece's time is cut to whole nanoseconds.
			if over := carried(rate, total, late); over > 0 || over < -total/pieceLength {
				t.Errorf("%s late, %d bytes per second: took %v more than the rate says", name, rate, over)
			}
		}
	}
}

// The line may be idle, and then begins anew: it does not make up for it.
func TestScheduleAfterIdleTime(t *testing.T) {
	s := schedule{rate: 1000}
	begin := time.Now()
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	for _, c := range []struct {
		now    time.Duration
		n      int
		passed time.Duration
	}{
		{0, 100, 100 * time.Millisecond},
		{50 * time.Millisecond, 100, 200 * time.Millisecond}, // behind the first
		{200 * time.Millisecond, 10, 210 * time.Millisecond}, // just in time
		{211 * time.Millisecond, 10, 221 * time.Millisecond}, // idle for a millisecond
		{9 * time.Second, 500, 9500 * time.Millisecond},      // idle for long
		{9 * time.Second, 500, 10 * time.Second},
	} {
		passed, more := s.book(at(c.now), c.n)
		if !passed.Equal(at(c.passed)) || !more.Equal(at(c.passed-queueTime)) {
			t.Errorf("%d bytes at %v: passed at %v, more from %v on", c.n, c.now, passed.Sub(begin), more.Sub(begin))
		}
	}
	free := schedule{}
	if passed, more := free.book(begin, 1<<30); !passed.Equal(begin) || !more.Equal(begin) {
		t.Error("a line without a rate takes time")
	}
}
