package main

import (
	"errors"
	"fmt"
	"os"
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
// what a machine is busy with besides now and then.
const (
	warmReads = 5000
	warmLeast = 250 * time.Millisecond
)

// diskReadings is how many times as often as others a row is measured that is held
// against the local file on a disk: its speed changes by some percent from one reading
// to the next, and the goals are a few percent away from it.
const diskReadings = 3

// warmRows are the rows of a file that is complete in the cache. The kernel reads what
// was checked at the speed of the disk's file system, which is the limit. Where the
// daemon answers, a byte in memory is copied three times where the limit copies it
// once; so that is held against the limit with the bytes on the disk.
var warmRows = makeWarmRows()

func makeWarmRows() []row {
	var out []row
	add := func(name, title string, p pages, r readiness, sequential, random *goal, bound string) {
		tools := []*tool{zsyncfs, rcloneFull, localFile}
		if r == checked {
			tools = []*tool{answering, rcloneFull, localFile}
		}
		often := 0
		if p == onDisk && r != remounted {
			often = diskReadings
		}
		where := map[pages]string{inMemory: "pages in memory", onDisk: "on disk"}[p]
		out = append(out, row{
			name: name + "-sequential", title: "sequential reading of a complete file, " + title + ", " + where,
			tools: tools, files: []string{bulkName}, measure: warm(p, r, readWarm), bound: bound, often: often,
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
		"by the file system; the limit is the local file, which costs neither"
	add("warm.memory", "read by the kernel (passthrough)", inMemory, shown, ofLimit(0.95), ofLimit(0.85), "the local file")
	add("warm.disk", "read by the kernel (passthrough)", onDisk, shown, ofLimit(0.95), ofLimit(0.85), "the local file")
	add("warm.answered-disk", "answered by the daemon", onDisk, checked, ofLimit(0.5), ofLimit(0.65), answers)
	add("warm.answered-memory", "answered by the daemon", inMemory, checked, noWorse(), noWorse(), answers)
	add("warm.first-memory", "right after a remount, each block checked", inMemory, remounted, noWorse(), noWorse(), answers)
	add("warm.first-disk", "right after a remount, each block checked", onDisk, remounted, noWorse(), noWorse(), answers)
	return out
}

func readWarm(b *bench, path string, repetition int) (string, float64, error) {
	took, err := readAll(b.ctx, path, 0, b.sizes.Bulk)
	return "rate", float64(b.sizes.Bulk) / took.Seconds() / 1e6, err
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
func warm(p pages, r readiness, read func(b *bench, path string, repetition int) (string, float64, error)) measure {
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

// makeReady reads the file of m once, so that all of it was checked, and waits until
// the kernel reads it by itself, if it is to. The pages of that reading are dropped.
func (b *bench) makeReady(m *mounted, r readiness) error {
	if _, err := readAll(b.ctx, m.file, 0, b.sizes.Bulk); err != nil {
		return err
	}
	if r != shown {
		return dropMounted(m.file)
	}
	for deadline := time.Now().Add(mountsWithin); b.ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		is, err := readByKernel(m.file)
		if err != nil || is {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the kernel did not read the file by itself within %v", mountsWithin)
		}
	}
	return b.ctx.Err()
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

// settlePages brings the pages below path into memory, or out of it. What is read from
// the disk was read from it once before: the first reading of what was written lately
// is slower on disks that have a cache of their own, as those of virtual machines have.
func settlePages(p pages, path string) error {
	if p == inMemory {
		return loadPages(path)
	}
	return errors.Join(dropPages(path), loadPages(path), dropPages(path))
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
