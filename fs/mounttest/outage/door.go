package outage

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Door is a TCP proxy before a server. Safe for concurrent use.
type Door struct {
	t      testing.TB
	in     *Namespace
	server string
	listen net.Listener
	wg     sync.WaitGroup

	mu      sync.Mutex
	open    map[net.Conn]bool // guarded by mu
	slow    bool              // guarded by mu
	shut    bool              // guarded by mu
	full    chan struct{}     // closed at the end of Full; nil: not full; guarded by mu
	filling []net.Conn        // guarded by mu
	closed  bool              // guarded by mu
}

// Open is a door at an address of a namespace (nil: the test's own) to a server
// (host:port) of the test's own network, until the end of the test.
func Open(t testing.TB, in *Namespace, address, server string) *Door {
	t.Helper()
	d := &Door{t: t, in: in, server: server, open: map[net.Conn]bool{}}
	err := in.do(func() (err error) {
		d.listen, err = listenShort(address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.wg.Go(d.accept)
	t.Cleanup(d.close)
	return d
}

// backlog is how many connections wait for accept(2), beside one.
const backlog = 1

// listenShort listens at a free port of an address, with a short queue.
func listenShort(address string) (net.Listener, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	at := &unix.SockaddrInet4{}
	copy(at.Addr[:], net.ParseIP(address).To4())
	if err := errors.Join(unix.Bind(fd, at), unix.Listen(fd, backlog)); err != nil {
		return nil, err
	}
	return net.FileListener(f)
}

// URL is that of a path, which begins with a slash.
func (d *Door) URL(path string) string { return "http://" + d.Addr() + path }

// Addr is the host and port that clients connect to.
func (d *Door) Addr() string { return d.listen.Addr().String() }

// change changes what happens to connections, and closes those that there are.
func (d *Door) change(how func()) {
	d.mu.Lock()
	how()
	d.mu.Unlock()
	d.cut()
}

// cut closes all connections.
func (d *Door) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open {
		c.Close()
	}
}

// Shut closes all connections, and those that come, also such as were on their way when
// it was called, until Reopen.
func (d *Door) Shut() {
	d.change(func() { d.shut = true })
}

// Reopen ends Shut.
func (d *Door) Reopen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = false
}

// Slow has the server's bytes pass one by one with 10 s between, until Fast.
func (d *Door) Slow() {
	d.change(func() { d.slow = true })
}

// Fast ends Slow.
func (d *Door) Fast() {
	d.change(func() { d.slow = false })
}

func (d *Door) isSlow() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slow
}

// Full has no more connections taken, and closes those that there are; connections
// that nobody takes fill the listener's queue, so that the kernel drops what comes
// then. Until Empty.
func (d *Door) Full() {
	d.change(func() { d.full = make(chan struct{}) })
	for range backlog + 10 {
		c, err := d.in.dial(d.Addr(), 500*time.Millisecond)
		if err != nil {
			return
		}
		d.mu.Lock()
		d.filling = append(d.filling, c)
		d.mu.Unlock()
	}
	d.t.Errorf("the queue of %s does not become full", d.Addr())
}

// Empty ends Full.
func (d *Door) Empty() {
	d.mu.Lock()
	full, filling := d.full, d.filling
	d.full, d.filling = nil, nil
	d.mu.Unlock()
	for _, c := range filling {
		c.Close()
	}
	if full != nil {
		close(full)
	}
}

func (d *Door) close() {
	d.Empty()
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.listen.Close()
	d.cut()
	d.wg.Wait()
}

func (d *Door) accept() {
	for {
		c, err := d.listen.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		full := d.full
		d.mu.Unlock()
		if full != nil {
			<-full
		}
		d.wg.Go(func() { d.serve(c) })
	}
}

// hold notes a connection that cut is to close; false when the door is closed or shut.
func (d *Door) hold(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[c] = true
	return !d.closed && !d.shut
}

func (d *Door) release(c net.Conn) {
	c.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, c)
}

func (d *Door) serve(client net.Conn) {
	defer d.release(client)
	if !d.hold(client) {
		return
	}
	server, err := net.Dial("tcp", d.server)
	if err != nil {
		return
	}
	defer d.release(server)
	if !d.hold(server) {
		return
	}
	d.wg.Go(func() {
		_, _ = io.Copy(server, client)
		server.Close()
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if d.isSlow() {
			for i := range n {
				if _, err := client.Write(buf[i : i+1]); err != nil || !d.pause() {
					return
				}
			}
			n = 0
		}
		if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// pause waits for 10 s; false when the door became fast, or was closed, meanwhile.
func (d *Door) pause() bool {
	for range 100 {
		time.Sleep(100 * time.Millisecond)
		d.mu.Lock()
		over := d.closed || !d.slow
		d.mu.Unlock()
		if over {
			return false
		}
	}
	return true
}
