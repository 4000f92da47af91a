package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"
)

func firstByteMetrics(g *goal) []metric {
	return []metric{
		{key: "open", title: "from the mount's return", unit: "ms", lower: true, timed: true, goal: g},
		{key: "command", title: "from the start of the mount command", unit: "ms", lower: true},
		{key: "middle", title: "another 4 KiB in the middle", unit: "ms", lower: true},
	}
}

var firstByteLineMetrics = []metric{
	{key: "open-trips", title: "from the mount's return", unit: "round trips", lower: true, timed: true, goal: atMost(3)},
	{key: "command-trips", title: "from the start of the mount command", unit: "round trips", lower: true, timed: true, goal: atMost(5)},
	{key: "middle-trips", title: "another 4 KiB in the middle", unit: "round trips", lower: true},
}

// firstByte mounts and reads 4 KiB at once, then 4 KiB far away.
func firstByte(v via) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		if t == curl {
			return b.firstByteByCurl(v)
		}
		m, err := b.newMount(t, b.base(v), sparseName)
		if err != nil {
			return nil, err
		}
		first, err := firstRead(m.file, 0)
		if err != nil {
			return nil, err
		}
		command := time.Since(m.begin)
		middle := b.sizes.Sparse/2 + readLength
		begin := time.Now()
		second, err := firstRead(m.file, middle)
		if err != nil {
			return nil, err
		}
		later := time.Since(begin)
		for off, got := range map[int64][]byte{0: first, middle: second} {
			want, err := firstRead(b.original(sparseName), off)
			if err != nil || !bytes.Equal(got, want) {
				return nil, fmt.Errorf("wrong bytes at %d (%v)", off, err)
			}
		}
		s := sample{}
		for key, d := range map[string]time.Duration{"open": command - m.took, "command": command, "middle": later} {
			s[key] = d.Seconds() * 1e3
			s[key+"-trips"] = d.Seconds() / b.trip
		}
		return s, nil
	}
}

// firstByteByCurl asks for what it takes to know the first 4 KiB, one after the other on
// one connection: the listing, the beginning of the control file, the bytes.
func (b *bench) firstByteByCurl(v via) (sample, error) {
	base := b.base(v)
	took, err := runCurl(b.ctx, []string{base},
		[]string{"-r", "0-16383", base + sparseName + ".zsync"},
		[]string{"-r", fmt.Sprintf("0-%d", readLength-1), base + sparseName})
	if err != nil {
		return nil, err
	}
	return sample{"command": took.Seconds() * 1e3, "command-trips": took.Seconds() / b.trip}, nil
}

func sequentialMetrics(g *goal) []metric {
	return []metric{
		{key: "rate", title: "rate", unit: "MB/s", timed: true, goal: g},
		{key: "sent", title: "bytes sent / length", unit: "", lower: true},
		{key: "requests", title: "requests", unit: "", lower: true},
	}
}

// sequential reads a whole file once.
func sequential(v via, name string) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		length := b.length(name)
		var took time.Duration
		work := func() (err error) {
			if t == curl {
				took, err = runCurl(b.ctx, []string{b.base(v) + name})
				return err
			}
			m, err := b.newMount(t, b.base(v), name)
			if err != nil {
				return err
			}
			took, err = readAll(b.ctx, m.file, 0, length)
			if err == nil && t == zsyncfs && repetition == 0 {
				err = compare(m.file, b.original(name), 0, length)
			}
			return err
		}
		got, err := b.counted(work)
		if err != nil {
			return nil, err
		}
		return sample{
			"rate":     float64(length) / took.Seconds() / 1e6,
			"sent":     float64(got.sent) / float64(length),
			"requests": float64(got.requests),
		}, nil
	}
}

// runCurl makes requests, each given by its own arguments, one after the other and
// downloads to nowhere.
func runCurl(ctx context.Context, requests ...[]string) (time.Duration, error) {
	args := []string{"--fail-early"}
	for _, r := range requests {
		args = append(append(args, "-sS", "-f", "-o", "/dev/null"), append(r, "--next")...)
	}
	args = args[:len(args)-1] // the last --next
	begin := time.Now()
	out, err := exec.CommandContext(ctx, "curl", args...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("curl: %w: %s", err, out)
	}
	return time.Since(begin), nil
}

func randomMetrics(iops, sent *goal) []metric {
	return []metric{
		{key: "iops", title: "reads per second", unit: "", timed: iops != nil, goal: iops},
		{key: "sent", title: "bytes sent / read", unit: "", lower: true, goal: sent},
		{key: "data", title: "  of these from the file", unit: "", lower: true},
		{key: "requests", title: "requests / reads", unit: "", lower: true},
	}
}

// random reads 4 KiB at many places, one after the other. What the server sent
// includes control files and listings, from before the mount until after its end.
func random(v via, readahead bool) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		count := b.sizes.Random
		if v == overLine {
			count = b.sizes.LineRandom
		}
		places := offsets(count, b.sizes.Bulk, uint64(repetition))
		var took time.Duration
		got, err := b.counted(func() error {
			m, err := b.newMount(t, b.base(v), bulkName)
			if err != nil {
				return err
			}
			took, err = readRandom(b.ctx, m.file, b.original(bulkName), places, readahead)
			return err
		})
		if err != nil {
			return nil, err
		}
		read := float64(count * readLength)
		return sample{
			"iops":     float64(count) / took.Seconds(),
			"sent":     float64(got.sent) / read,
			"data":     float64(got.data) / read,
			"requests": float64(got.requests) / float64(count),
		}, nil
	}
}

// counted runs work, releases what it started, and returns what the web server
// sent meanwhile.
func (b *bench) counted(work func() error) (traffic, error) {
	return b.logged(func() error {
		height := b.res.mark()
		defer b.res.releaseTo(height)
		return work()
	})
}

// logged runs work and returns what the web server sent for the requests that
// ended meanwhile.
func (b *bench) logged(work func() error) (traffic, error) {
	entries, err := b.entries(work)
	return sum(entries), err
}

// entries runs work and returns the requests that ended meanwhile.
func (b *bench) entries(work func() error) ([]entry, error) {
	from, err := b.server.mark()
	if err != nil {
		return nil, err
	}
	if err := work(); err != nil {
		return nil, err
	}
	return b.server.since(from)
}
