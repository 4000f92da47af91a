package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// pages says where the cache's bytes are when a warm row begins to read.
type pages bool

const (
	inMemory pages = false
	onDisk   pages = true
)

// readiness says what zsyncfs has done with a file that is complete in its block
// store when a warm row begins to read.
type readiness int

const (
	remounted readiness = iota // nothing: each block is checked when it is first read
	checked                    // it has checked all blocks, and answers all reads
	shown                      // it has checked all blocks, and the kernel reads the file
)

// answering is zsyncfs without passthrough.
var answering = zsyncfsWith("--passthrough=off")

// warmReads is the number of random reads of a warm row, which are made again, elsewhere,
// until warmLeast is over: 5000 of a file in memory take some 10 ms, which is less than
// what a machine is busy with besides now and then. A file in memory that the kernel reads
// by itself is read in order again and again for as long.
const (
	warmReads = 5000
	warmLeast = 250 * time.Millisecond
)

// warmReadings is how many times as often as others a row is measured that is held
// against the local file: its speed changes by some percent from one reading to the
// next, and the goals are a few percent away from it.
const warmReadings = 3

// warmRows are the rows of a file that is complete in the cache. The kernel reads what
// was checked at the speed of the disk's file system, which is the limit. Where the
// daemon answers, a byte in memory is copied three times where the limit copies it
// once; so that is held against the limit with the bytes on the disk.
var warmRows = makeWarmRows()

func makeWarmRows() []row {
	var out []row
	add := func(name, title string, p pages, r readiness, sequential, random *goal, bound string) {
		tools := []*tool{zsyncfs, rcloneFull, localFile}
		switch r {
		case checked:
			tools = []*tool{answering, rcloneFull, localFile, bareFUSE}
		case shown:
			tools = append(tools, barePassthrough)
		}
		often := 0
		if r != remounted {
			often = warmReadings
		}
		var least time.Duration
		if p == inMemory && r == shown { // over in 40 ms, and the same again: the mount has no pages of its own
			least = warmLeast
		}
		where := map[pages]string{inMemory: "pages in memory", onDisk: "on disk"}[p]
		out = append(out, row{
			name: name + "-sequential", title: "sequential reading of a complete file, " + title + ", " + where,
			tools: tools, files: []string{bulkName}, measure: warm(p, r, readWarm(least)), bound: bound, often: often,
			metrics: []metric{
				{key: "rate", title: "rate", unit: "MB/s", timed: true, goal: sequential},
				{key: "data", title: "bytes sent of the file", unit: "", lower: true, goal: atMost(0)},
			},
		}, row{
			name: name + "-random", title: "random reads of 4 KiB of a complete file, " + title + ", " + where,
			tools: tools, files: []string{bulkName}, measure: warm(p, r, readWarmRandom), bound: bound, often: often,
			metrics: []metric{
				{key: "iops", title: "reads per second", unit: "", timed: true, goal: random},
				{key: "data", title: "bytes sent of the file", unit: "", lower: true, goal: atMost(0)},
			},
		})
	}
	const answers = "each read is a message to the daemon and back, and its bytes are copied once more than " +
		"by the file system; of the limits, the local file costs neither, and bare FUSE is a daemon that only reads that file"
	const kernels = "the local file; what a read costs more is the kernel's own way from the file in the mount to that in the block store: " +
		"bare passthrough is a mount that does nothing else"
	add("warm.memory", "read by the kernel (passthrough)", inMemory, shown, ofLimit(0.95), ofLimit(0.85), kernels)
	add("warm.disk", "read by the kernel (passthrough)", onDisk, shown, ofLimit(0.95), ofLimit(0.85), kernels)
	add("warm.answered-disk", "answered by the daemon", onDisk, checked, ofLimit(0.5), ofLimit(0.65), answers)
	add("warm.answered-memory", "answered by the daemon", inMemory, checked, noWorse(), noWorse(), answers)
	add("warm.first-memory", "right after a remount, each block checked", inMemory, remounted, noWorse(), noWorse(), answers)
	add("warm.first-disk", "right after a remount, each block checked", onDisk, remounted, noWorse(), noWorse(), answers)
	return out
}

// warmReading reads the bulk image at path, and returns the key of the number that it
// measured, and the number.
type warmReading func(b *bench, path string, repetition int) (key string, value float64, err error)

// readWarm reads it in order, again and again until least is over.
func readWarm(least time.Duration) warmReading {
	return func(b *bench, path string, repetition int) (string, float64, error) {
		var took time.Duration
		var length int64
		for once := true; once || took < least; once = false {
			one, err := readAll(b.ctx, path, 0, b.sizes.Bulk)
			if err != nil {
				return "", 0, err
			}
			took += one
			length += b.sizes.Bulk
		}
		return "rate", float64(length) / took.Seconds() / 1e6, nil
	}
}

func readWarmRandom(b *bench, path string, repetition int) (string, float64, error) {
	var took time.Duration
	reads := 0
	for round := uint64(0); took < warmLeast; round++ {
		places := offsets(warmReads, b.sizes.Bulk, uint64(repetition)<<16+round)
		one, err := readRandom(b.ctx, path, b.original(bulkName), places, false)
		if err != nil {
			return "", 0, err
		}
		took += one
		reads += warmReads
	}
	return "iops", float64(reads) / took.Seconds(), nil
}

// warm mounts with a cache that has the whole file, and lets read read it. A new
// mount has none of the file's pages; those of the cache are in memory or not.
//
// What is a limit reads the file in the cache of zsyncfs, from the same place on the disk
// and from the same pages: where in the memory a file has its pages can change the rate
// of random reads by a third, at least on virtual machines.
func warm(p pages, r readiness, read warmReading) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		filled := t
		if t.own || t.limit {
			filled = zsyncfs // with whatever flags
		}
		cache, err := b.filledCache(filled)
		if err != nil {
			return nil, err
		}
		if t.limit {
			return b.warmLimit(t, cache, p, read, repetition)
		}
		s := sample{}
		got, err := b.counted(func() error {
			m, err := b.mountWith(t, b.base(direct), bulkName, cache)
			if err != nil {
				return err
			}
			if t.own && r != remounted {
				if err := b.makeReady(m, r); err != nil {
					return err
				}
			}
			if err := settlePages(p, cache); err != nil {
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

// warmLimit has read read the file in a cache of zsyncfs, or a mount that only reads it.
func (b *bench) warmLimit(t *tool, cache string, p pages, read warmReading, repetition int) (sample, error) {
	path, err := storedFile(cache)
	if err != nil {
		return nil, err
	}
	if t.mount != nil {
		m, err := b.mountWith(t, "", bulkName, cache)
		if err != nil {
			return nil, err
		}
		path = m.file
	}
	if err := settlePages(p, cache); err != nil {
		return nil, err
	}
	key, value, err := read(b, path, repetition)
	return sample{key: value}, err
}

// storedFile is where a cache of zsyncfs that has one version has its bytes.
func storedFile(cache string) (string, error) {
	files, err := filepath.Glob(filepath.Join(cache, "versions", "*", "data"))
	if err == nil && len(files) != 1 {
		err = fmt.Errorf("%s has %d versions", cache, len(files))
	}
	if err != nil {
		return "", err
	}
	return files[0], nil
}

// makeReady reads the file of m once, so that all of it was checked, and waits until
// zsyncfs has nothing to do with it besides: it was verified as a whole and, if it is to
// be, is read by the kernel. The pages of that reading are dropped.
func (b *bench) makeReady(m *mounted, r readiness) error {
	if _, err := readAll(b.ctx, m.file, 0, b.sizes.Bulk); err != nil {
		return err
	}
	if err := errors.Join(b.waitVerified(m.file), dropMounted(m.file)); err != nil || r != shown {
		return err
	}
	return b.waitFor("the kernel reads the file by itself", mountsWithin, func() (bool, error) { return readByKernel(m.file) })
}

// readByKernel says whether the kernel reads a file of a mount of zsyncfs that is
// opened now by itself.
func readByKernel(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	p := make([]byte, 16)
	n, err := unix.Fgetxattr(int(f.Fd()), "user.zsync.passthrough", p)
	return err == nil && string(p[:n]) == "yes", err
}

// settlePages brings the pages below path into memory, or out of it. What is in memory
// was read from the disk (filledCache), which makes pages larger or smaller than writing
// does, and so faster or slower to read, and stays where it is from one measurement to the
// next. What is read from the disk was read from it once before: the first reading of what
// was written lately is slower on disks that have a cache of their own, as those of virtual
// machines have.
func settlePages(p pages, path string) error {
	err := loadPages(path)
	if p == onDisk {
		err = errors.Join(err, dropPages(path))
	}
	return err
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
	switch {
	case t == rcloneFull:
		time.Sleep(2 * time.Second) // it writes its cache's metadata a little later
	case t.own:
		if err := b.waitVerified(m.file); err != nil {
			return "", fmt.Errorf("fill the cache: %w", err)
		}
	}
	b.caches[t] = cache
	return cache, dropPages(cache)
}
