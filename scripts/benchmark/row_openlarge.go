package main

import (
	"os"
	"time"
)

const (
	openFolder = versionsFolder + "open-large/"
	openOld    = "large-1.img" // the large sparse image
	openNew    = "large-2.img" // the same with some parts written over in place

	// knownWithin is how long the row waits for the blocks that did not change.
	knownWithin = 10 * time.Second
)

var openLargeRow = row{
	name: "versions.open-large", title: "opening the next version of a large sparse image, the version before complete in the store",
	tools: []*tool{versionMount}, files: []string{sparseName, sparseFolder, openFolder}, once: true, measure: openLarge,
	metrics: []metric{
		{key: "known", title: "from the opening until all blocks that did not change are here", unit: "s", lower: true, timed: true, goal: atMost(1)},
		{key: "local", title: "  blocks here then, of these"},
		{key: "peak", title: "largest resident size of the daemon", unit: "MB", lower: true, goal: atMost(150)},
	},
}

// openLarge fills the store with one version, and opens the next one in a new
// mount, whose daemon has done nothing else.
func openLarge(b *bench, t *tool, repetition int) (sample, error) {
	cache, err := b.newFolder("cache")
	if err != nil {
		return nil, err
	}
	s, err := b.newSite()
	if err != nil {
		return nil, err
	}
	if err := s.publish(openFolder, openOld); err != nil {
		return nil, err
	}
	if err := b.fillFrom(t, s, openOld, cache); err != nil {
		return nil, err
	}
	if err := s.publish(openFolder, openNew); err != nil {
		return nil, err
	}
	m, err := b.mountWith(t, b.base(direct)+s.folder, openNew, cache)
	if err != nil {
		return nil, err
	}
	if err := b.waitAppears(m.file); err != nil {
		return nil, err
	}
	out, err := b.openNext(m.file)
	if err != nil {
		return nil, err
	}
	peak, _, err := m.memory()
	out["peak"] = float64(peak) / 1e6
	return out, err
}

// fillFrom reads the whole of a file of a site, so that the store has it.
func (b *bench) fillFrom(t *tool, s *site, name, cache string) error {
	height := b.res.mark()
	defer b.res.releaseTo(height)
	m, err := b.mountWith(t, b.base(direct)+s.folder, name, cache)
	if err != nil {
		return err
	}
	return b.readWhole(m.file, b.original(s.folder+name))
}

// openNext opens the next version, waits for its blocks, and compares some of
// what is read then.
func (b *bench) openNext(path string) (sample, error) {
	original := b.original(openFolder + openNew)
	length, err := blockLength(original + ".zsync")
	if err != nil {
		return nil, err
	}
	differ, err := changedBlocks(b.original(openFolder+openOld), original, length)
	if err != nil {
		return nil, err
	}
	out := sample{}
	begin := time.Now()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all, local int64
	timeout := b.waitFor("blocks are known", knownWithin, func() (bool, error) {
		var err error
		all, local, err = blocksOf(path)
		return local >= all-differ, err
	})
	if timeout == nil {
		out["known"] = time.Since(begin).Seconds()
	}
	if all == 0 {
		return nil, timeout
	}
	out["local"] = float64(local) / float64(all-differ)
	places := offsets(b.sizes.Random, b.sizes.Sparse, 1)
	if _, err := readRandom(b.ctx, path, original, places, false); err != nil {
		return nil, err
	}
	return out, compare(path, original, b.sizes.Dense, b.sizes.Dense+min(64*mib, b.sizes.Dense))
}

// changedBlocks is how many blocks of two files of the same length differ.
func changedBlocks(path, other string, length int64) (int64, error) {
	var sums []blockSum
	if err := eachBlock(path, length, func(_ int64, sum blockSum, _ int) { sums = append(sums, sum) }); err != nil {
		return 0, err
	}
	differ := int64(0)
	err := eachBlock(other, length, func(i int64, sum blockSum, _ int) {
		if i >= int64(len(sums)) || sums[i] != sum {
			differ++
		}
	})
	return differ, err
}

// openFiles are the files of the row: those of the update of the large sparse image.
func (b *bench) openFiles() file {
	return file{openFolder, func() error {
		return b.stock(openFolder, map[string]string{openOld: sparseName, openNew: sparseNext}, b.made)
	}}
}
