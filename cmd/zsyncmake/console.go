package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// console is standard error: messages, and on a terminal a line of progress
// below them. Safe for concurrent use.
type console struct {
	start time.Time
	total int64 // bytes to read; 0 when not known
	done  atomic.Int64

	mu    sync.Mutex
	w     io.Writer // guarded by mu
	shown int       // guarded by mu; length of the line of progress
	stop  chan struct{}
	drawn sync.WaitGroup // the goroutine that draws
}

// redraw is how often progress is drawn; what takes less time shows none.
const redraw = 500 * time.Millisecond

// newConsole is a console on w for the reading of list. Its owner closes it.
func newConsole(w io.Writer, terminal bool, list []job) *console {
	c := &console{start: time.Now(), w: w, stop: make(chan struct{})}
	if terminal {
		c.total = totalLength(list)
		c.drawn.Go(c.draw)
	}
	return c
}

// totalLength is the number of bytes to read; 0 when a stream is among them.
func totalLength(list []job) int64 {
	total := int64(0)
	for _, j := range list {
		info, err := os.Stat(j.file)
		if j.stdin() || err == nil && !info.Mode().IsRegular() {
			return 0
		}
		if err == nil {
			total += info.Size()
		}
	}
	return total
}

// close ends the drawing.
func (c *console) close() {
	close(c.stop)
	c.drawn.Wait()
	c.print(func(io.Writer) {})
}

// draw is the goroutine of the line of progress.
func (c *console) draw() {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case now := <-tick.C:
			line := progressLine(c.done.Load(), c.total, now.Sub(c.start))
			c.mu.Lock()
			pad := max(c.shown-len(line), 0)
			fmt.Fprintf(c.w, "\r%s%s", line, strings.Repeat(" ", pad))
			c.shown = len(line)
			c.mu.Unlock()
		}
	}
}

// progressLine says how far reading is.
func progressLine(done, total int64, elapsed time.Duration) string {
	rate := humanize.Bytes(uint64(float64(done) / elapsed.Seconds()))
	if total <= 0 {
		return fmt.Sprintf("%s read, %s/s", humanize.Bytes(uint64(done)), rate)
	}
	return fmt.Sprintf("%3d %% of %s, %s/s", min(done*100/total, 100), humanize.Bytes(uint64(total)), rate)
}

// print has write print whole lines, the line of progress out of their way.
func (c *console) print(write func(io.Writer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown > 0 {
		fmt.Fprintf(c.w, "\r%s\r", strings.Repeat(" ", c.shown))
		c.shown = 0
	}
	write(c.w)
}

// say prints a line about what was done.
func (c *console) say(format string, args ...any) {
	c.print(func(w io.Writer) {
		fmt.Fprintf(w, "zsyncmake: %s\n", report.Printable(fmt.Sprintf(format, args...)))
	})
}

// note prints a line about what may surprise.
func (c *console) note(format string, args ...any) { c.say("note: "+format, args...) }

// count is w, with what is written to it counted as progress.
func (c *console) count(w io.Writer) io.Writer { return counter{c, w} }

type counter struct {
	console *console
	w       io.Writer
}

func (c counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.console.done.Add(int64(n))
	return n, err
}
