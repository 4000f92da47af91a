package main

import (
	"fmt"
	"os"
	"time"
)

// pages says where the cache's bytes are when a warm row begins to read.
type pages bool

const (
	inMemory pages = false
	onDisk   pages = true
)

var warmSequentialMetrics = []metric{
	{key: "rate", title: "rate", unit: "MB/s"},
	{key: "data", title: "bytes sent of the file", unit: "", lower: true, goal: atMost(0)},
}

var warmRandomMetrics = []metric{
	{key: "iops", title: "reads per second", unit: ""},
	{key: "data", title: "bytes sent of the file", unit: "", lower: true, goal: atMost(0)},
}

// warmReads is the number of random reads of a warm row.
const warmReads = 5000

func warmSequential(p pages) measure {
	return warm(p, func(b *bench, path string, repetition int) (string, float64, error) {
		took, err := readAll(b.ctx, path, 0, b.sizes.Bulk)
		return "rate", float64(b.sizes.Bulk) / took.Seconds() / 1e6, err
	})
}

func warmRandom(p pages) measure {
	return warm(p, func(b *bench, path string, repetition int) (string, float64, error) {
		places := offsets(warmReads, b.sizes.Bulk, uint64(repetition))
		took, err := readRandom(b.ctx, path, b.original(bulkName), places, false)
		return "iops", warmReads / took.Seconds(), err
	})
}

// warm mounts with a cache that has the whole file, and lets read read it. A new
// mount has none of the file's pages; those of the cache are in memory or not.
func warm(p pages, read func(b *bench, path string, repetition int) (string, float64, error)) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		if t.limit {
			path := b.original(bulkName)
			if err := settlePages(p, path); err != nil {
				return nil, err
			}
			key, value, err := read(b, path, repetition)
			return sample{key: value}, err
		}
		cache, err := b.filledCache(t)
		if err != nil {
			return nil, err
		}
		if err := settlePages(p, cache); err != nil {
			return nil, err
		}
		s := sample{}
		got, err := b.counted(func() error {
			m, err := b.mountWith(t, b.base(direct), bulkName, cache)
			if err != nil {
				return err
			}
			key, value, err := read(b, m.file, repetition)
			s[key] = value
			return err
		})
		s["data"] = float64(got.data)
		return s, err
	}
}

// settlePages brings the pages below path into memory, or out of it.
func settlePages(p pages, path string) error {
	if p == onDisk {
		return dropPages(path)
	}
	return loadPages(path)
}

// filledCache returns the cache folder of t, which has the whole of the bulk
// image; it is filled once in a run.
func (b *bench) filledCache(t *tool) (string, error) {
	if cache := b.caches[t]; cache != "" {
		return cache, nil
	}
	cache, err := os.MkdirTemp(b.work, "filled-") // removed with the work folder
	if err != nil {
		return "", err
	}
	height := b.res.mark()
	defer b.res.releaseTo(height)
	m, err := b.mountWith(t, b.base(direct), bulkName, cache)
	if err != nil {
		return "", fmt.Errorf("fill the cache: %w", err)
	}
	if _, err := readAll(b.ctx, m.file, 0, b.sizes.Bulk); err != nil {
		return "", fmt.Errorf("fill the cache: %w", err)
	}
	if t == rcloneFull {
		time.Sleep(2 * time.Second) // it writes its cache's metadata a little later
	}
	b.caches[t] = cache
	return cache, nil
}
