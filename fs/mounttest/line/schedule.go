package line

import "time"

// queueTime is how long bytes wait at most for those before them when there is
// one sender. It is also by how much a timer may be late without the line's rate
// suffering: timers are late by a millisecond, and by more on a busy machine.
const queueTime = 10 * time.Millisecond

// schedule is the line's queue as arithmetic: it has no clock and no bytes. Not
// safe for concurrent use.
type schedule struct {
	rate  int64     // bytes per second; 0: no limit
	clear time.Time // when all bytes booked so far have passed
}

// book puts n bytes into the queue at now. It returns when the last of them has
// passed, and from when on their sender may bring more.
func (s *schedule) book(now time.Time, n int) (passed, more time.Time) {
	if s.rate <= 0 {
		return now, now
	}
	if s.clear.Before(now) {
		s.clear = now // the line was idle
	}
	s.clear = s.clear.Add(time.Duration(int64(n) * int64(time.Second) / s.rate))
	return s.clear, s.clear.Add(-queueTime)
}
