package zsyncclient

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// piecesEach is how many pieces a second's worth of a limited rate is read in,
	// so that bodies side by side flow evenly.
	piecesEach = 32
	// savedUp is how long unused bytes are saved up: longer than a busy machine
	// lets a reader wait for its turn, or the limit would not be reached.
	savedUp = 125 * time.Millisecond
	// maxPiece bounds a piece where the rate is high, in bytes.
	maxPiece = 1 << 20
)

// limiter shares so many bytes a second out to the bodies of a Client: to
// foreground ones first, to those of one priority in turn, a piece to each. Safe
// for concurrent use.
type limiter struct {
	rate  float64       // bytes/s
	piece int           // the most for one turn, in bytes
	burst float64       // the most that is saved up, in bytes; a piece or more
	over  chan struct{} // closed by retire

	mu    sync.Mutex
	have  float64     // bytes to share out, less than 0 when some are owed; guarded by mu
	at    time.Time   // when that was so; guarded by mu
	turns [2][]*turn  // who waits, by Priority, in order; guarded by mu
	timer *time.Timer // calls tick when there is enough for the next turn; guarded by mu
}

// turn is one caller of take.
type turn struct {
	want int
	come chan struct{} // closed when want bytes are its own
}

// newLimiter is a limiter for rate bytes/s; nil, which limits nothing, for 0.
func newLimiter(rate int64) *limiter {
	if rate <= 0 {
		return nil
	}
	l := &limiter{rate: float64(rate), at: time.Now(), over: make(chan struct{})}
	l.piece = int(min(max(rate/piecesEach, 1), maxPiece))
	l.burst = max(l.rate*savedUp.Seconds(), float64(l.piece))
	l.have = l.burst
	return l
}

// errRetired says that another limiter holds.
var errRetired = errors.New("another rate holds")

// retire has those who wait ask another limiter, and all that come later. It is called
// once.
func (l *limiter) retire() {
	if l != nil {
		close(l.over)
	}
}

// take waits until n bytes may be read, at most want (which is more than 0). What
// was not read of them is given back.
//
// Errors: ctx's; errRetired.
func (l *limiter) take(ctx context.Context, pri Priority, want int) (n int, err error) {
	t := &turn{want: min(want, l.piece), come: make(chan struct{})}
	l.mu.Lock()
	l.turns[pri] = append(l.turns[pri], t)
	l.share()
	l.mu.Unlock()
	select {
	case <-t.come:
		return t.want, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.over:
		err = errRetired
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.turns[pri], t); i >= 0 {
		l.turns[pri] = slices.Delete(l.turns[pri], i, i+1)
	} else {
		l.have += float64(t.want)
	}
	l.share()
	return 0, err
}

// giveBack gives n bytes back that take gave, or, when n is less than 0, takes
// bytes that were read already: those who wait then wait longer.
func (l *limiter) giveBack(n int) {
	if l == nil || n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.have += float64(n)
	l.share()
}

// share lets those whose turn it is have theirs, and sets the timer for the next;
// l.mu is held.
func (l *limiter) share() {
	now := time.Now()
	l.have = min(l.have+now.Sub(l.at).Seconds()*l.rate, l.burst)
	l.at = now
	for pri := range l.turns {
		for len(l.turns[pri]) > 0 {
			t := l.turns[pri][0]
			if missing := float64(t.want) - l.have; missing > 0 {
				l.wakeIn(missing / l.rate)
				return
			}
			l.have -= float64(t.want)
			l.turns[pri] = slices.Delete(l.turns[pri], 0, 1)
			close(t.come)
		}
	}
	if l.timer != nil {
		l.timer.Stop()
	}
}

// wakeIn sets the timer; l.mu is held.
func (l *limiter) wakeIn(seconds float64) {
	// Rounded up: a moment too early would be one more for nothing.
	d := time.Duration(min(seconds, math.MaxInt32)*float64(time.Second)) + time.Microsecond
	if l.timer == nil {
		l.timer = time.AfterFunc(d, l.tick)
		return
	}
	l.timer.Reset(d)
}

func (l *limiter) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.share()
}

// within is how many bytes l lets through in d, at most most; most where l is nil.
func (l *limiter) within(d time.Duration, most int64) int64 {
	if l == nil {
		return most
	}
	return int64(min(l.rate*d.Seconds(), float64(most)))
}

// takes is how long l takes at least to let n bytes through.
func (l *limiter) takes(n int64) time.Duration {
	if l == nil {
		return 0
	}
	return time.Duration(min(float64(n)/l.rate, math.MaxInt32) * float64(time.Second))
}
