package main

import (
	"os"
	"path"
	"path/filepath"
)

// Peers of zsync that need a server, or files, of their own. What they are sent is
// compressed by default with casync and not with rsync.
var (
	casync = &tool{name: "casync", program: "casync"}
	rsync  = &tool{name: "rsync", program: "rsync"}
)

// chunksFolder has an index for each target of casync, and the chunks of all.
const chunksFolder = "chunks/"

// chunkIndex is casync's index of a target.
func chunkIndex(target string) string { return chunksFolder + path.Base(target) + ".caibx" }

// makeChunks makes what casync needs of some targets. Without casync nobody asks
// for it.
func (b *bench) makeChunks(targets ...string) error {
	program, err := b.path(casync)
	if err != nil {
		return nil
	}
	if err := b.newRootFolder(chunksFolder); err != nil {
		return err
	}
	store := b.original(chunksFolder + "default.castr") // where casync looks beside an index
	for _, target := range targets {
		if err := b.run("", program, "make", "--store="+store, b.original(chunkIndex(target)), b.original(target)); err != nil {
			return err
		}
	}
	return nil
}

// updater makes the file target in the folder dir, with a seed, and returns what
// the program took.
type updater func(dir, target, seed string) (usage, error)

// updater is that of a tool. zsync has the control files of mk, and rsync the
// server d.
func (b *bench) updater(t *tool, mk maker, d *rsyncd) updater {
	return func(dir, target, seed string) (usage, error) {
		result := filepath.Join(dir, path.Base(target))
		switch t {
		case casync:
			return b.runProgram(dir, t, "extract", "--seed="+b.original(seed), b.base(direct)+chunkIndex(target), result)
		case rsync:
			// Its seed is the file that it replaces, whose times say nothing here.
			return b.runProgram(dir, t, "-q", "--ignore-times", d.url(target), result)
		}
		return b.runProgram(dir, t, "-q", "-i", b.original(seed), b.base(direct)+mk.control(target))
	}
}

// prepare puts into dir what a tool wants to be there already.
func (b *bench) prepare(t *tool, dir, target, seed string) error {
	if t != rsync {
		return nil
	}
	return writeFile(filepath.Join(dir, path.Base(target)), func(f *os.File) error {
		return copySparse(f, b.original(seed))
	})
}
