package main

import (
	"fmt"
	"path/filepath"
	"time"
)

const (
	growthVersions = versionsFolder + "growth/"
	growthNext     = 3 // next versions that are measured, of which the medians count
)

// growthVersionName is that of the i-th version.
func growthVersionName(i int) string { return fmt.Sprintf("image-%03d.img", i+1) }

// growthVersionsRow: the next version has what it needs in the one before it, but
// for what is new, which is looked for in up to 8 versions: the work grows until
// there are as many in the store, and must not from then on. What grows still is the work
// after a version is complete: its data file becomes the one that has what it shares, and
// each older version that refers to these bytes is told so, which takes about 1 ms of CPU.
// Part of it falls into what is measured.
var growthVersionsRow = once(growthRow("versions", "the next version of an image, 2 % changed in place, in a store that has some, of which up to 8 are searched", growthVersions,
	func(z sizes) (out [growthSteps]string) {
		for i, n := range z.Stored {
			out[i] = fmt.Sprintf("%d in the store", n)
		}
		return out
	},
	[]quantity{
		{key: "wall", title: "open until it is complete", unit: "ms", timed: true, base: 1, flat: atMost(1.5)},
		{key: "cpu", title: "CPU of the daemon", unit: "ms", timed: true, base: 1, flat: atMost(1.5)},
		{key: "sent", title: "bytes sent / length", flat: atMost(1.1)},
		{key: "now", title: "resident size", unit: "MB", flat: atMost(1.5)},
	}, growVersions))

// growVersions lets versions appear and reads them, one after the other. Those
// that follow on the numbers of stored ones are measured.
func growVersions(b *bench, t *tool, repetition int) (sample, error) {
	cache, err := b.newFolder("cache")
	if err != nil {
		return nil, err
	}
	s, err := b.newSite()
	if err != nil {
		return nil, err
	}
	m, err := b.mountWith(versionMount, b.base(direct)+s.folder, "", cache)
	if err != nil {
		return nil, err
	}
	out, next := sample{}, 0
	for i, stored := range b.sizes.Stored {
		for ; next < stored; next++ {
			if err := b.readVersion(m, s, next); err != nil {
				return nil, err
			}
		}
		mine := &toolResult{Samples: map[string][]float64{}, Medians: map[string]float64{}}
		for ; next < stored+growthNext; next++ {
			if err := b.waitStoreQuiet(cache); err != nil {
				return nil, err
			}
			one, err := b.measureVersion(m, s, next)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", growthVersionName(next), err)
			}
			mine.add(one)
		}
		for key, v := range mine.Medians {
			out[stepKey(key, i)] = v
		}
	}
	return out, nil
}

// showVersion lets a version appear in the mount and returns its path there.
func (b *bench) showVersion(m *mounted, s *site, i int) (string, error) {
	path := filepath.Join(m.dir, growthVersionName(i))
	if err := s.publish(growthVersions, growthVersionName(i)); err != nil {
		return "", err
	}
	return path, b.waitAppears(path)
}

func (b *bench) readVersion(m *mounted, s *site, i int) error {
	path, err := b.showVersion(m, s, i)
	if err != nil {
		return err
	}
	return b.readWhole(path, b.original(growthVersions+growthVersionName(i)))
}

// measureVersion is what reading a version took, from when it was to be seen.
func (b *bench) measureVersion(m *mounted, s *site, i int) (sample, error) {
	path, err := b.showVersion(m, s, i)
	if err != nil {
		return nil, err
	}
	out := sample{}
	got, err := b.entries(func() error {
		cpu, err := m.cpuOf(func() error {
			begin := time.Now()
			err := b.readWhole(path, b.original(growthVersions+growthVersionName(i)))
			out["wall"] = milliseconds(begin)
			return err
		})
		out["cpu"] = cpu * 1e3
		return err
	})
	if err != nil {
		return nil, err
	}
	of, _ := split(got, s.urls(growthVersionName(i))...)
	out["sent"] = float64(sum(of).sent) / float64(b.sizes.Version)
	_, now, err := m.memory()
	out["now"] = float64(now) / 1e6
	return out, err
}

// growthVersionFiles are the files of the row.
func (b *bench) growthVersionFiles() file {
	return file{growthVersions, func() error {
		count := b.sizes.Stored[growthSteps-1] + growthNext
		return b.makeSeries(series{growthVersions, growthVersionName, count, b.sizes.Version, 500})
	}}
}
