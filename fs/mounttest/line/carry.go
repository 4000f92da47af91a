package line

import (
	"context"
	"net"
	"sync"
	"time"
)

// pieceLength is how many bytes are carried at a time, at most.
const pieceLength = 16 << 10

// piece is some bytes on their way and when they arrive.
type piece struct {
	data []byte
	due  time.Time
}

// carry moves bytes from one end to the other. Reading and writing are apart,
// so that the delay adds to the time of each byte and not to the rate.
func (l *Line) carry(to, from net.Conn, toClient bool) {
	pieces := make(chan piece, 1024)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(pieces)
		l.takeIn(pieces, from, toClient)
	})
	failed := false
	for p := range pieces {
		if failed || !l.wait(p.due) {
			failed = true
			continue
		}
		if toClient {
			l.received.Add(int64(len(p.data)))
		}
		if _, err := to.Write(p.data); err != nil {
			failed = true
			from.Close() // the reader ends too
		}
	}
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	reader.Wait()
}

// takeIn reads pieces, and books them on the line when they go to a client,
// until there are no more. It reads no faster than the line's queue allows.
func (l *Line) takeIn(pieces chan<- piece, from net.Conn, toClient bool) {
	for {
		p := make([]byte, pieceLength)
		n, err := from.Read(p)
		if n > 0 {
			passed := time.Now()
			more := passed
			if toClient {
				passed, more = l.book(passed, n)
			}
			select {
			case pieces <- piece{p[:n], passed.Add(l.options.RoundTrip / 2)}:
			case <-l.ctx.Done():
				return
			}
			sleep(l.ctx, time.Until(more))
		}
		if err != nil {
			return
		}
	}
}

func (l *Line) book(now time.Time, n int) (passed, more time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.schedule.book(now, n)
}

// wait returns at due, or later when the line is stalled; false when it is closed.
func (l *Line) wait(due time.Time) bool {
	sleep(l.ctx, time.Until(due))
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	select {
	case <-open:
		return l.ctx.Err() == nil
	case <-l.ctx.Done():
		return false
	}
}

// sleep returns after d, or when ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
