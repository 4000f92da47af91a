package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"
)

// tailLength is how much the rows of the slow line read, in bytes.
const tailLength = 64 << 10

var slowMetrics = []metric{
	{key: "read", title: "from the read's start", unit: "s", lower: true, timed: true, goal: atMost(1)},
	{key: "command", title: "from the start of the mount command", unit: "s", lower: true, timed: true, goal: atMost(1)},
	{key: "line", title: "carried by the line until then", unit: "MiB", lower: true},
	{key: "soon", title: "bytes sent until then", unit: "MiB", lower: true, goal: atMost(2)},
	{key: "settled", title: "bytes sent when all is quiet", unit: "MiB", lower: true, goal: atMost(2)},
	{key: "requests", title: "requests", unit: "", lower: true},
}

// endOnSlowLine mounts over the slow line and reads the end of an image at once.
// The server's log knows the requests that have ended by then; what the line has
// carried by then is exact. Then it waits for what goes on in the background.
func endOnSlowLine(name string) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		from, err := b.server.mark()
		if err != nil {
			return nil, err
		}
		s := sample{}
		all, err := b.counted(func() error {
			carried := b.slow.Received()
			folder, file := path.Split(name)
			m, err := b.newMount(t, b.base(overSlowLine)+folder, file)
			if err != nil {
				return err
			}
			begin := time.Now()
			got, err := readTail(m.file, b.length(name))
			if err != nil {
				return err
			}
			s["read"], s["command"] = time.Since(begin).Seconds(), time.Since(m.begin).Seconds()
			s["line"] = float64(b.slow.Received()-carried) / mib
			soon, err := b.server.since(from)
			if err != nil {
				return err
			}
			s["soon"] = float64(sum(soon).sent) / mib
			if want, err := readTail(b.original(name), b.length(name)); err != nil || !bytes.Equal(got, want) {
				return fmt.Errorf("wrong bytes at the end (%v)", err)
			}
			return b.waitQuiet(b.slow)
		})
		s["settled"], s["requests"] = float64(all.sent)/mib, float64(all.requests)
		return s, err
	}
}

// readTail opens a file of some length and reads its end.
func readTail(path string, length int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := make([]byte, tailLength)
	n, err := f.ReadAt(p, length-tailLength)
	if n == len(p) && errors.Is(err, io.EOF) {
		err = nil
	}
	return p, err
}
