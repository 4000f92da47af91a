package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	for _, tt := range []struct {
		done, total int64
		elapsed     time.Duration
		want        string
	}{
		{0, 100, time.Second, "  0 % of 100 B, 0 B/s"},
		{500_000_000, 1_000_000_000, time.Second, " 50 % of 1.0 GB, 500 MB/s"},
		{300, 100, time.Second, "100 % of 100 B, 300 B/s"}, // it grew
		{2_000_000, 0, 2 * time.Second, "2.0 MB read, 1.0 MB/s"},
	} {
		if got := progressLine(tt.done, tt.total, tt.elapsed); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

// Messages wipe the line of progress, and carry no control characters.
func TestConsole(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(&out, false, nil)
	c.note("bad \x1b name")
	c.mu.Lock()
	c.shown = 3
	c.mu.Unlock()
	c.print(func(w io.Writer) { io.WriteString(w, "x\n") })
	c.count(io.Discard).Write(make([]byte, 5))
	c.close()
	if want := "zsyncmake: note: bad \\x1b name\n\r   \rx\n"; out.String() != want || c.done.Load() != 5 {
		t.Errorf("%q, %d bytes counted", out.String(), c.done.Load())
	}
	if strings.Contains(helpText, "\t") {
		t.Error("a tab in the help")
	}
}
