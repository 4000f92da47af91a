package seed

import "github.com/zsyncfs/zsyncfs/format"

// Options for the scans. The zero value works.
type Options struct {
	// Workers is how many cores a scan uses at most. Default: GOMAXPROCS.
	Workers int
	// Progress is told how many bytes of the seed were scanned so far; it may be
	// called by several goroutines at once and must be quick. Default: nobody.
	Progress func(scanned int64)
	// First is the offset of the seed near which a scan begins, in bytes: slices of
	// 4 MiB are taken in order of their distance from it. What is found depends on it
	// as little as on the number of workers. Beyond the seed's end it counts as its
	// end; streams are read from their start on whatever it is. Default: 0, the start.
	First int64
	// LeastRun is how many blocks in a row must be found for any of them to be
	// delivered, blocks of zeros excepted: for strong checksums that are too short to
	// be believed alone. See "Runs" in the package comment. At most MaxLeastRun: more
	// count as that. Buffers hold as many blocks. Default: 0, which as 1 leaves it to
	// the header what counts as found.
	LeastRun int

	// slice is how many offsets a worker takes at a time; tests make it small.
	slice int
	// part is how many of them are read at once; tests make it small.
	part int
	// credit is what each worker's budget begins with beyond the ordinary: tests
	// of what is found with it make it large.
	credit int64
}

// MaxLeastRun bounds Options.LeastRun: so many blocks in a row have 512 bits of checksums
// where these are shortest.
const MaxLeastRun = 16

// Stats is what a scan did, in bytes.
type Stats struct {
	// Scanned of the seed; Found of the target (each block once, also one that the
	// target has in several places).
	Scanned, Found int64
	// Broken is why ScanFile could not read a seed to its end; nil when it could.
	// What was found before counts.
	Broken error
}

// Deliver takes blocks that were found: data is whole blocks from block first on
// (the target's last one cut at the target's length), valid during the call. They
// were taken from the set before. Several goroutines call it at once.
//
// at is the offset in the seed of the first byte of data, in bytes: data is what
// lies in the seed from there on, and zeros beyond the seed's end. Every block of a
// class comes with the one place where one of them was found; several runs of the
// target may come with places that overlap. -1: data has no place in the seed, for it
// is zeros that needed none, or what ScanFile decompressed.
type Deliver func(first format.BlockID, data []byte, at int64) error
