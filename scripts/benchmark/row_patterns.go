package main

import (
	"fmt"
	"os"
	"time"
)

// patternLength is the length of a read that is one of a pattern, in bytes.
const patternLength = 64 << 10

// patternRows are readers that go through a file in another way than from its start to
// its end.
var patternRows = []row{
	{
		name: "line.backward", title: "cold reading backwards by reads of 64 KiB, on the line",
		tools: plainPeers, files: []string{lineName}, measure: patterned(backward), metrics: patternMetrics(timesPeer(3)),
	},
	{
		name: "line.strided", title: "cold reads of 64 KiB, one in each 512 KiB, on the line",
		tools: plainPeers, files: []string{lineName}, measure: patterned(strided), metrics: patternMetrics(timesPeer(3)),
	},
}

func patternMetrics(g *goal) []metric {
	return []metric{
		{key: "rate", title: "rate", unit: "MB/s", timed: true, goal: g},
		{key: "sent", title: "bytes sent / read", unit: "", lower: true, goal: atMost(1.5)},
		{key: "requests", title: "requests / reads", unit: "", lower: true},
	}
}

// backward is a quarter of a file, from its end on.
func backward(length int64) (out []int64) {
	for off := length - patternLength; off >= length*3/4; off -= patternLength {
		out = append(out, off)
	}
	return out
}

func strided(length int64) (out []int64) {
	for off := int64(patternLength); off+patternLength <= length; off += 8 * patternLength {
		out = append(out, off)
	}
	return out
}

// patterned reads patternLength bytes at each place of a pattern, over the line.
func patterned(places func(length int64) []int64) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		all := places(b.length(lineName))
		var took time.Duration
		got, err := b.counted(func() error {
			m, err := b.newMount(t, b.base(overLine), lineName)
			if err != nil {
				return err
			}
			took, err = b.readPlaces(m.file, all)
			return err
		})
		if err != nil {
			return nil, err
		}
		read := float64(len(all) * patternLength)
		return sample{
			"rate":     read / took.Seconds() / 1e6,
			"sent":     float64(got.sent) / read,
			"requests": float64(got.requests) / float64(len(all)),
		}, nil
	}
}

// readPlaces reads a file at each of the places and returns the time it took, opening
// included. What came is compared afterwards.
func (b *bench) readPlaces(path string, places []int64) (time.Duration, error) {
	got := make([]byte, len(places)*patternLength)
	begin := time.Now()
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for i, off := range places {
		if _, err := f.ReadAt(got[i*patternLength:][:patternLength], off); err != nil {
			return 0, fmt.Errorf("read at %d: %w", off, err)
		}
		if b.ctx.Err() != nil {
			return 0, b.ctx.Err()
		}
	}
	took := time.Since(begin)
	want, err := os.Open(b.original(lineName))
	if err != nil {
		return 0, err
	}
	defer want.Close()
	p := make([]byte, patternLength)
	for i, off := range places {
		if _, err := want.ReadAt(p, off); err != nil {
			return 0, err
		}
		if string(p) != string(got[i*patternLength:][:patternLength]) {
			return 0, fmt.Errorf("wrong bytes between %d and %d", off, off+patternLength)
		}
	}
	return took, nil
}
