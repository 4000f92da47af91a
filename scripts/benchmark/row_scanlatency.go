package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/line"
)

const (
	latencyFolder = versionsFolder + "scan-latency/"
	latencyOld    = "image-1.img"
	latencyNew    = "image-2.img"
	latencyMade   = versionsFolder + "scan-latency.img" // the new one, before it has a control file

	latencyReads = 20
	insertedAt   = 4321 // where the new version has some bytes more: no block of it is aligned
	inserted     = 7

	// mostlyFound is the share of the new version's blocks that the old one has, or
	// a little less.
	mostlyFound = 0.95
	// foundWithin is how long the search for them may take.
	foundWithin = 20 * time.Second
)

var scanLatencyRow = row{
	name: "versions.scan-latency", title: "reads of 4 KiB right after opening, on the line, while the version before is scanned",
	tools: []*tool{zsyncfs}, files: []string{bulkName, latencyFolder}, once: true, measure: scanLatency,
	metrics: []metric{
		{key: "extra", title: "more than without that version, median", unit: "round trips", lower: true, timed: true, goal: atMost(3)},
		{key: "extra-worst", title: "  worst", unit: "round trips", lower: true, timed: true, goal: atMost(3)},
		{key: "idle", title: "a read without that version, median", unit: "round trips", lower: true},
		{key: "idle-worst", title: "  worst", unit: "round trips", lower: true},
		{key: "during", title: "reads that ended before most blocks were found"},
		{key: "found", title: "blocks of the new version that are here in the end, of all", goal: atLeast(mostlyFound)},
		{key: "scan", title: "  from the opening until then", unit: "s", lower: true},
	},
}

// scanLatency reads some blocks of a version as soon as it is open, with the same
// content, moved, complete in the store and without. The store knows a server by
// its address, so that the line for the measured reads has that of the fast one by
// which the version before came.
func scanLatency(b *bench, t *tool, repetition int) (sample, error) {
	places := spread(latencyReads, b.sizes.Bulk, uint64(repetition))
	idle, err := b.idleLatencies(t, places)
	if err != nil {
		return nil, err
	}
	cache, err := b.newFolder("cache")
	if err != nil {
		return nil, err
	}
	addr, err := b.fillByFastLine(t, cache)
	if err != nil {
		return nil, err
	}
	l, err := b.openLine(addr)
	if err != nil {
		return nil, err
	}
	m, err := b.mountWith(t, "http://"+l.Addr()+"/"+latencyFolder, latencyNew, cache)
	if err != nil {
		return nil, err
	}
	if err := b.waitAppears(m.file); err != nil {
		return nil, err
	}
	begin := time.Now()
	found := b.watchFound(m.file)
	busy, err := readLatencies(m.file, b.original(latencyFolder+latencyNew), places)
	when := <-found
	if err != nil {
		return nil, err
	}
	all, local, err := blocksOf(m.file)
	if err != nil {
		return nil, err
	}
	s := latencySample(idle, busy, b.trip)
	s["found"] = float64(local) / float64(all)
	if !when.IsZero() {
		s["scan"], s["during"] = when.Sub(begin).Seconds(), float64(endedWithin(busy, when.Sub(begin)))
	}
	return s, compare(m.file, b.original(latencyFolder+latencyNew), 0, 8*mib)
}

// idleLatencies are those of the reads with an empty store.
func (b *bench) idleLatencies(t *tool, places []int64) ([]time.Duration, error) {
	height := b.res.mark()
	defer b.res.releaseTo(height)
	m, err := b.newMount(t, b.base(overLine)+latencyFolder, latencyNew)
	if err != nil {
		return nil, err
	}
	if err := b.waitAppears(m.file); err != nil {
		return nil, err
	}
	return readLatencies(m.file, b.original(latencyFolder+latencyNew), places)
}

// fillByFastLine reads the version before over a line without limits, whose
// address it returns. That is free again.
func (b *bench) fillByFastLine(t *tool, cache string) (addr string, err error) {
	height := b.res.mark()
	defer b.res.releaseTo(height)
	fast, err := line.Open(b.server.addr, line.Options{})
	if err != nil {
		return "", err
	}
	b.res.add(fast.Close)
	m, err := b.mountWith(t, "http://"+fast.Addr()+"/"+latencyFolder, latencyOld, cache)
	if err != nil {
		return "", err
	}
	return fast.Addr(), b.readWhole(m.file, b.original(latencyFolder+latencyOld))
}

// openLine opens a line like that of other rows at an address.
func (b *bench) openLine(addr string) (*line.Line, error) {
	l, err := line.Open(b.server.addr, line.Options{Address: addr, RoundTrip: roundTrip, BytesPerSecond: lineRate})
	if err == nil {
		b.res.add(l.Close)
	}
	return l, err
}

// watchFound looks at a file of a mount until most blocks of it are here, and
// then gives the time; the zero time when they do not come.
func (b *bench) watchFound(path string) <-chan time.Time {
	found := make(chan time.Time, 1)
	go func() {
		err := b.waitFor("blocks are found", foundWithin, func() (bool, error) {
			all, local, err := blocksOf(path)
			return float64(local) >= mostlyFound*float64(all), err
		})
		if err != nil {
			found <- time.Time{}
			return
		}
		found <- time.Now()
	}()
	return found
}

// readLatencies opens a file without readahead of the kernel and returns how long
// each read of 4 KiB takes, the first one with the opening. What came is compared
// with original.
func readLatencies(path, original string, places []int64) ([]time.Duration, error) {
	begin := time.Now()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
		return nil, err
	}
	var took []time.Duration
	got := make([]byte, len(places)*readLength)
	for i, off := range places {
		if _, err := f.ReadAt(got[i*readLength:][:readLength], off); err != nil {
			return nil, fmt.Errorf("read at %d: %w", off, err)
		}
		took = append(took, time.Since(begin))
		begin = time.Now()
	}
	return took, compareReads(got, original, places)
}

// spread are count places for reads of 4 KiB in a file of some length, each in
// another part of it, in no order.
func spread(count int, length int64, seed uint64) []int64 {
	random := rand.New(rand.NewPCG(seed, 1))
	each := length / int64(count)
	out := make([]int64, count)
	for i, part := range random.Perm(count) {
		out[i] = int64(part)*each + random.Int64N(each-2*readLength)/readLength*readLength
	}
	return out
}

// latencySample compares reads one by one, in round trips.
func latencySample(idle, busy []time.Duration, trip float64) sample {
	var alone, extra []float64
	for i := range busy {
		alone = append(alone, idle[i].Seconds()/trip)
		extra = append(extra, (busy[i]-idle[i]).Seconds()/trip)
	}
	return sample{
		"extra": median(extra), "extra-worst": slices.Max(extra),
		"idle": median(alone), "idle-worst": slices.Max(alone),
	}
}

// endedWithin is how many reads, one after the other, had ended after some time.
func endedWithin(took []time.Duration, within time.Duration) int {
	for i, d := range took {
		if within -= d; within < 0 {
			return i
		}
	}
	return len(took)
}

// latencyFiles are the files of the row.
func (b *bench) latencyFiles() file {
	return file{latencyFolder, func() error {
		if err := b.newRootFolder(latencyFolder); err != nil {
			return err
		}
		changedName := filepath.Join(b.work, "scan-latency.img")
		defer os.Remove(changedName)
		if err := writeChanged(changedName, b.original(bulkName), 0, b.sizes.Bulk, changed, 51); err != nil {
			return err
		}
		if err := writeInserted(b.original(latencyMade), changedName, insertedAt, inserted); err != nil {
			return err
		}
		return b.stock(latencyFolder, map[string]string{latencyOld: bulkName, latencyNew: latencyMade}, b.made)
	}}
}
