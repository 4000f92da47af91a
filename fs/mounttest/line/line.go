package line

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options of a line. The zero value is a line without limits.
type Options struct {
	// Address is the host and port that clients connect to, as that of a line
	// that was closed before. Default: a free port of 127.0.0.1.
	Address string
	// BytesPerSecond is the rate from the server to the clients, of all
	// connections together. Default: no limit.
	BytesPerSecond int64
	// RoundTrip is the time that the line adds to a round trip: half of it in
	// each direction. Default: none.
	RoundTrip time.Duration
	// InstantOpen leaves out the round trip that opening a connection costs.
	// Default: with a RoundTrip, a connection's first byte leaves the client one
	// round trip after the connection was made.
	InstantOpen bool
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

	mu       sync.Mutex
	open     chan struct{} // guarded by mu; closed while bytes may pass
	schedule schedule      // guarded by mu; of the bytes to the clients
}

// Open starts a line to target (host:port). Close it.
func Open(target string, o Options) (*Line, error) {
	l, err := net.Listen("tcp", cmp.Or(o.Address, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	line := &Line{
		options: o, target: target, listener: l, open: make(chan struct{}),
		schedule: schedule{rate: o.BytesPerSecond},
	}
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
	if !l.options.InstantOpen {
		// The kernel has opened the client's end already, and what the client
		// sent waits there.
		sleep(l.ctx, l.options.RoundTrip)
	}
	server, err := l.dial()
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

// leastReceiveBuffer is what the kernel may hold of a connection that comes from
// the server, in bytes, on a line of any rate.
const leastReceiveBuffer = 64 << 10

// dial connects to the server. With a rate, the kernel holds little of what the
// server sends ahead of the line: a server on a slow line notices that it is one.
func (l *Line) dial() (net.Conn, error) {
	dialer := net.Dialer{}
	if rate := l.options.BytesPerSecond; rate > 0 {
		length := max(leastReceiveBuffer, min(rate/50, 4<<20)) // 20 ms of the line
		dialer.Control = func(_, _ string, c syscall.RawConn) error {
			var err error
			return errors.Join(c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, int(length))
			}), err)
		}
	}
	return dialer.DialContext(l.ctx, "tcp", l.target)
}
