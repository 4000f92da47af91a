package line

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a line. The zero value is a line without limits.
type Options struct {
	// BytesPerSecond is the rate from the server to the clients, of all
	// connections together. Default: no limit.
	BytesPerSecond int64
	// RoundTrip is the time that the line adds to a round trip: half of it in
	// each direction. Default: none.
	RoundTrip time.Duration
}

// Line is a running proxy. Safe for concurrent use.
type Line struct {
	options  Options
	target   string
	listener net.Listener
	received atomic.Int64 // bytes given to clients

	cancel context.CancelFunc
	ctx    context.Context
	wg     sync.WaitGroup

	mu    sync.Mutex
	open  chan struct{} // guarded by mu; closed while bytes may pass
	clear time.Time     // guarded by mu; when the line has carried all bytes given to it
}

// pieceLength is how many bytes are carried at a time.
const pieceLength = 16 << 10

// Open starts a line to target (host:port). Close it.
func Open(target string, o Options) (*Line, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	line := &Line{options: o, target: target, listener: l, open: make(chan struct{})}
	close(line.open)
	line.ctx, line.cancel = context.WithCancel(context.Background())
	line.wg.Go(line.accept)
	return line, nil
}

// Addr is the host and port that clients connect to.
func (l *Line) Addr() string { return l.listener.Addr().String() }

// Received is the number of bytes that were given to clients.
func (l *Line) Received() int64 { return l.received.Load() }

// Stall stops all bytes, in both directions; connections stay, and new ones are taken.
func (l *Line) Stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.open:
		l.open = make(chan struct{})
	default:
	}
}

// Resume ends a Stall.
func (l *Line) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.open:
	default:
		close(l.open)
	}
}

// Close cuts all connections and waits until everything has ended.
func (l *Line) Close() {
	l.cancel()
	l.listener.Close()
	l.wg.Wait()
}

func (l *Line) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.wg.Go(func() { l.serve(client) })
	}
}

// serve carries one connection's bytes both ways until both directions have ended.
func (l *Line) serve(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(l.ctx, "tcp", l.target)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(l.ctx, func() {
		client.Close()
		server.Close()
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { l.carry(server, client, false) })
	both.Go(func() { l.carry(client, server, true) })
	both.Wait()
}

// piece is some bytes on their way and when they arrive.
type piece struct {
	data []byte
	due  time.Time
}

// carry moves bytes from one end to the other. Reading and writing are apart,
// so that the delay adds to the time of each byte and not to the rate.
func (l *Line) carry(to, from net.Conn, limited bool) {
	pieces := make(chan piece, 1024)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(pieces)
		for {
			p := make([]byte, pieceLength)
			n, err := from.Read(p)
			if n > 0 {
				select {
				case pieces <- piece{p[:n], l.due(n, limited)}:
				case <-l.ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	failed := false
	for p := range pieces {
		if failed || !l.wait(p.due) {
			failed = true
			continue
		}
		if limited {
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

// due books n bytes on the line and returns when the last of them arrives.
// It returns when the line is free for more, so a sender cannot run ahead.
func (l *Line) due(n int, limited bool) time.Time {
	now := time.Now()
	if limited && l.options.BytesPerSecond > 0 {
		l.mu.Lock()
		if l.clear.Before(now) {
			l.clear = now
		}
		l.clear = l.clear.Add(time.Duration(float64(n) / float64(l.options.BytesPerSecond) * float64(time.Second)))
		now = l.clear
		l.mu.Unlock()
		sleep(l.ctx, time.Until(now))
	}
	return now.Add(l.options.RoundTrip / 2)
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
