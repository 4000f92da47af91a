package main

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// growthReadersRow: what is fetched, and what a read costs, however many read.
var growthReadersRow = growthRow("readers", "readers of one image at a time: cold and whole; then all of it in the cache, at random", bulkName,
	func(z sizes) (out [growthSteps]string) {
		for i, n := range z.Readers {
			out[i] = numbered(n, "reader", "readers")
		}
		return out
	},
	[]quantity{
		{key: "sent", title: "bytes sent / length", each: atMost(1.05), flat: atMost(1.05)},
		{key: "cold-cpu", title: "CPU / MB, cold", unit: "us", timed: true, flat: atMost(1.5)},
		{key: "cpu", title: "CPU / read of 4 KiB, warm", unit: "us", timed: true, flat: atMost(1.5)},
		{key: "peak", title: "largest resident size, cold", unit: "MB", flat: atMost(1.5)},
	}, eachStep(growReaders))

// growReaders lets readers read the whole image at a time, through a mount with an
// empty cache, and then, after a remount, as many reads in all however many there
// are, no page twice: the kernel answers none of them.
func growReaders(b *bench, i, repetition int) (sample, error) {
	cache, err := b.newFolder("cache")
	if err != nil {
		return nil, err
	}
	count, s, height := b.sizes.Readers[i], sample{}, b.res.mark()
	got, err := b.logged(func() error {
		defer b.res.releaseTo(height)
		m, err := b.mountWith(zsyncfs, b.base(direct), bulkName, cache)
		if err != nil {
			return err
		}
		// The verification of the whole belongs to it: it ends before many readers do.
		cpu, err := m.cpuOf(func() error {
			if err := b.readTogether(m.file, b.original(bulkName), count); err != nil {
				return err
			}
			return b.waitVerified(m.file)
		})
		if err != nil {
			return err
		}
		peak, _, err := m.memory()
		s["cold-cpu"], s["peak"] = cpu*1e6/(float64(b.sizes.Bulk)/1e6), float64(peak)/1e6
		return err
	})
	if err != nil {
		return nil, err
	}
	s["sent"] = float64(got.sent) / float64(b.sizes.Bulk)
	s["cpu"], err = b.warmReaders(cache, count, repetition)
	return s, err
}

// readTogether lets readers read a whole file at a time. All must get the bytes of
// the original.
func (b *bench) readTogether(path, original string, count int) error {
	want, err := sumOf(original)
	if err != nil {
		return err
	}
	return together(count, func(int) error {
		got, err := sumOf(path)
		if err == nil && got != want {
			err = fmt.Errorf("a reader got wrong bytes")
		}
		return err
	})
}

// sumOf reads a file in order and sums its bytes.
func sumOf(path string) (uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sum, p := crc32.New(crc32.MakeTable(crc32.Castagnoli)), make([]byte, sequentialBuffer)
	// Only a plain reader reads as much at a time as it is told.
	_, err = io.CopyBuffer(sum, struct{ io.Reader }{f}, p)
	return sum.Sum32(), err
}

// warmReaders is the CPU time of the daemon for a read, in microseconds.
func (b *bench) warmReaders(cache string, count, repetition int) (float64, error) {
	m, err := b.mountWith(zsyncfs, b.base(direct), bulkName, cache)
	if err != nil {
		return 0, err
	}
	if err := loadPages(cache); err != nil {
		return 0, err
	}
	reads := b.sizes.GrowthReads
	places := spread(reads, b.sizes.Bulk, uint64(repetition))
	cpu, err := m.cpuOf(func() error {
		return together(count, func(i int) error {
			mine := places[i*reads/count : (i+1)*reads/count]
			_, err := readRandom(b.ctx, m.file, b.original(bulkName), mine, false)
			return err
		})
	})
	return cpu / float64(reads) * 1e6, err
}
