package main

import (
	"os"
	"slices"
)

// zsyncRows are the rows of what zsync and zsyncmake cost.
var zsyncRows = makeZsyncRows()

func makeZsyncRows() []row {
	both := []*tool{zsync, debianZsync}
	var out []row
	for _, mk := range makers {
		out = append(out, row{
			name: "delta-time." + mk.name, title: "update of an image with 2 % changed; " + mk.title,
			tools: both, needs: []*tool{mk.tool}, files: []string{mixedFolder, mk.controlFolder(mixedFolder)},
			metrics: deltaTimeMetrics, measure: deltaTime(mk),
		})
	}
	out = append(out, deltaPeersRow())
	for _, mk := range makers {
		out = append(out, row{
			name: "delta-memory." + mk.name, title: "update of a large sparse image; " + mk.title,
			tools: both, needs: []*tool{mk.tool}, once: true,
			files:   []string{sparseName, sparseFolder, mk.controlFolder(sparseFolder)},
			metrics: deltaMemoryMetrics, measure: deltaMemory(mk),
		})
	}
	for _, mk := range makers {
		out = append(out, row{
			name: "scan." + mk.name, title: "search of a random seed that matches nowhere, by a CPU " + kernels() + "; " + mk.title,
			bound: "in plain Go, to roll one rsum and to load one word of 512 KiB for each offset of the seed, and nothing " +
				"besides (one look-up each): where the second cache of a core holds less than that, or is shared, words come from " +
				"farther away. A search also compares, copies the seed out of the page cache and hashes what has the rsum of a " +
				"block by chance. Of pairs of blocks every other stretch is looked up, of single ones (control files of this " +
				"project) all",
			tools: append(slices.Clip(both), oneLookup), needs: []*tool{mk.tool}, files: []string{scanFolder, mk.controlFolder(scanFolder)},
			metrics: scanMetrics, measure: scan(mk),
		})
	}
	for _, mk := range makers {
		out = append(out, clientsRow(mk))
	}
	return append(out, row{
		name: "make", title: "control file of an image; the limit is SHA-1 and SHA-256 of it by two processes side by side",
		bound: "the two digests of the whole (openssl), neither of which can be split: what they leave of two CPUs is what " +
			"reading and the sums of the blocks get; and the control file is on the disk (fsync) before it has its name",
		tools: []*tool{zsyncmake, debianZsyncmake, opensslDigests},
		needs: []*tool{debianZsyncmake}, files: []string{makeFolder, makers[0].controlFolder(makeFolder)},
		metrics: makeMetrics, measure: makeControlFile,
	}, checksumRow)
}

// zsyncFiles are the files of these rows and of the rows of what is fetched,
// each after those that it is made from.
func (b *bench) zsyncFiles() []file {
	return slices.Concat(b.deltaFiles(), b.updateFiles(), b.scanFiles(), b.makeFiles(), b.clientsFiles())
}

// newRootFolder makes a folder of the web server's root.
func (b *bench) newRootFolder(folder string) error { return os.MkdirAll(b.original(folder), 0o755) }
