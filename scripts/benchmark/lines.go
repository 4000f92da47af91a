package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/line"
)

// The line that rows "on the line" use.
const (
	roundTrip = 20 * time.Millisecond
	lineRate  = 25_000_000 // bytes per second, of all connections together
)

// slowRate is that of the slow line, which has no round trip of its own.
const slowRate = 1_000_000

// via says how a row reaches the web server.
type via int

const (
	direct via = iota
	overLine
	overSlowLine
)

// base is the URL of the web server's root.
func (b *bench) base(v via) string {
	addr := b.server.addr
	switch v {
	case overLine:
		addr = b.line.Addr()
	case overSlowLine:
		addr = b.slow.Addr()
	}
	return "http://" + addr + "/"
}

// openLines puts the lines before the web server.
func (b *bench) openLines() error {
	for _, l := range []struct {
		to      **line.Line
		target  string
		options line.Options
	}{
		{&b.line, b.server.addr, line.Options{RoundTrip: roundTrip, BytesPerSecond: lineRate}},
		{&b.slow, b.server.slowAddr, line.Options{BytesPerSecond: slowRate}},
	} {
		opened, err := line.Open(l.target, l.options)
		if err != nil {
			return err
		}
		b.res.add(opened.Close)
		*l.to = opened
	}
	var err error
	b.trip, err = measureRoundTrip(b.line.Addr())
	return err
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

const (
	quietFor    = 3 * time.Second // without a byte: nothing goes on in the background any more
	quietWithin = 2 * time.Minute
)

// waitQuiet returns when a line has carried nothing for some time.
func (b *bench) waitQuiet(l *line.Line) error {
	begin := time.Now()
	since, seen := begin, l.Received()
	for time.Since(since) < quietFor {
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if time.Since(begin) > quietWithin {
			return fmt.Errorf("the line is busy after %v still", quietWithin)
		}
		time.Sleep(50 * time.Millisecond)
		if now := l.Received(); now != seen {
			since, seen = time.Now(), now
		}
	}
	return nil
}
