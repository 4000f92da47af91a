package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/line"
)

// The line that rows "on the line" use.
const (
	roundTrip = 20 * time.Millisecond
	lineRate  = 25_000_000 // bytes per second, of all connections together
)

// openLine puts a line before target (host:port) and returns its address. The
// delay is line's. The rate and what a connection costs to open are a gate's,
// behind it: a timer is late by up to a millisecond, which the gate makes good
// and the line's own limit does not (it carries 13 MB/s when asked for 25).
func openLine(res *resources, target string) (addr string, err error) {
	g, err := openGate(target, lineRate, roundTrip)
	if err != nil {
		return "", err
	}
	res.add(g.close)
	l, err := line.Open(g.listener.Addr().String(), line.Options{RoundTrip: roundTrip})
	if err != nil {
		return "", err
	}
	res.add(l.Close)
	return l.Addr(), nil
}

// measureRoundTrip is the time that a small request over the line takes on a
// connection that is open already: the median of some, in seconds. Timers make
// it a little longer than the delay that was asked for.
func measureRoundTrip(addr string) (float64, error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 20 * time.Second}
	var took []float64
	for i := range 21 {
		begin := time.Now()
		resp, err := client.Get("http://" + addr + settlePath + "trip")
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return 0, err
		}
		if i > 0 { // the first one opened the connection
			took = append(took, time.Since(begin).Seconds())
		}
	}
	return median(took), nil
}

// gate passes connections on to a target: each one waits first, as long as its
// opening would take on a real line (the kernel opens it at once), and the bytes
// that come back share a rate. Every connection has two goroutines, which close ends.
type gate struct {
	target   string
	rate     int64         // bytes per second
	opening  time.Duration // wait of each connection
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu    sync.Mutex
	clear time.Time // guarded by mu; when all bytes let in have passed
}

// late is by how much a timer may be late without the line counting as idle.
const late = 3 * time.Millisecond

func openGate(target string, rate int64, opening time.Duration) (*gate, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{target: target, rate: rate, opening: opening, listener: l}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			g.wg.Go(func() { g.serve(client) })
		}
	})
	return g, nil
}

// close cuts all connections and waits for their goroutines.
func (g *gate) close() {
	g.cancel()
	g.listener.Close()
	g.wg.Wait()
}

func (g *gate) serve(client net.Conn) {
	defer client.Close()
	g.sleep(g.opening)
	server, err := (&net.Dialer{}).DialContext(g.ctx, "tcp", g.target)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(g.ctx, func() {
		client.Close()
		server.Close()
	})()
	var there sync.WaitGroup
	there.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	})
	g.back(client, server)
	// Nothing can come back any more, so nothing need go there.
	client.Close()
	server.Close()
	there.Wait()
}

// back carries the server's bytes at the rate that is shared.
func (g *gate) back(client, server net.Conn) {
	piece := make([]byte, 16<<10)
	for {
		n, err := server.Read(piece)
		if n > 0 {
			g.pass(n)
			if _, err := client.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass returns when n more bytes have passed.
func (g *gate) pass(n int) {
	now := time.Now()
	g.mu.Lock()
	if now.Sub(g.clear) > late {
		g.clear = now // the line was idle; else a timer was late, and nothing is lost
	}
	g.clear = g.clear.Add(time.Duration(int64(n) * int64(time.Second) / g.rate))
	due := g.clear
	g.mu.Unlock()
	g.sleep(due.Sub(now))
}

func (g *gate) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.ctx.Done():
	}
}
