package zsyncclient

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"sync"
	"time"
)

// earlyFor is how long a connection waits for the request that it was opened for.
const earlyFor = 10 * time.Second

// early has connections that were asked for before there was a request for them. Safe
// for concurrent use.
type early struct {
	mu    sync.Mutex
	conns map[string]*earlyConn // by address, as the transport names it; guarded by mu
}

type earlyConn struct {
	right dialRight
	done  chan struct{} // closed when conn or err is set
	conn  net.Conn
	err   error

	watched chan struct{} // closed when nobody reads conn any more
	quiet   bool          // set before watched is closed: nothing came, and it is open
}

// Connect begins to open a connection to u's host, for the first request that goes
// there, and returns at once: so it is on its way while the caller does something else.
// It does nothing when u may not be dialled, or a proxy leads there. Safe for
// concurrent use.
func (c *Client) Connect(u *url.URL) {
	right, err := c.dialRight(u)
	if err != nil || right.proxy != nil {
		return
	}
	addr := hostPort(u)
	e := &earlyConn{right: right, done: make(chan struct{}), watched: make(chan struct{})}
	c.early.mu.Lock()
	defer c.early.mu.Unlock()
	if c.early.conns[addr] != nil {
		return
	}
	if c.early.conns == nil {
		c.early.conns = map[string]*earlyConn{}
	}
	c.early.conns[addr] = e
	go func() {
		ctx, cancel := context.WithTimeout(context.WithValue(c.ctx, dialRightKey{}, right), earlyFor)
		defer cancel()
		e.conn, e.err = guardedDial(ctx, "tcp", addr)
		close(e.done)
		if e.conn != nil {
			e.watch()
		}
	}()
	time.AfterFunc(earlyFor, func() {
		if c.early.take(addr, e) {
			e.close()
		}
	})
}

// take takes e, the connection to addr, off; false when somebody did before.
func (y *early) take(addr string, e *earlyConn) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.conns[addr] != e {
		return false
	}
	delete(y.conns, addr)
	return true
}

// close closes the connection as soon as it is there.
func (e *earlyConn) close() {
	<-e.done
	if e.conn != nil {
		e.conn.Close()
	}
}

// watch notices when the server closes the connection, or says that it waited long
// enough, until usable ends that.
func (e *earlyConn) watch() {
	defer close(e.watched)
	_, err := e.conn.Read(make([]byte, 1))
	e.quiet = errors.Is(err, os.ErrDeadlineExceeded)
}

// usable says whether a request may go over the connection; it must be there.
func (e *earlyConn) usable() bool {
	if e.conn.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	<-e.watched
	return e.quiet && e.conn.SetReadDeadline(time.Time{}) == nil
}

// dial is guardedDial, or the connection to addr that was opened early by the same
// right.
func (y *early) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	right, _ := ctx.Value(dialRightKey{}).(dialRight)
	y.mu.Lock()
	e := y.conns[addr]
	if e == nil || e.right != right {
		y.mu.Unlock()
		return guardedDial(ctx, network, addr)
	}
	delete(y.conns, addr)
	y.mu.Unlock()
	select {
	case <-e.done:
	case <-ctx.Done():
		go e.close()
		return nil, ctx.Err()
	}
	if e.err == nil {
		if e.usable() {
			return e.conn, nil
		}
		e.conn.Close()
	}
	return guardedDial(ctx, network, addr)
}

// closeAll closes what nobody took.
func (y *early) closeAll() {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, e := range y.conns {
		go e.close()
	}
	clear(y.conns)
}
