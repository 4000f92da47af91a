// Package seed finds blocks of a target in seed files.
package seed

import (
	"context"
	"io"
	"iter"

	"github.com/zsyncfs/zsyncfs/format"
)

// Missing is the set of a target's blocks that nobody has yet. Safe for
// concurrent use: Take gives each block to exactly one caller.
type Missing struct{}

// NewMissing is the set of all count blocks.
func NewMissing(count int64) *Missing { panic("contract") }

// Has says whether id is still missing.
func (m *Missing) Has(id format.BlockID) bool { panic("contract") }

// Take removes id; false when it was not in the set.
func (m *Missing) Take(id format.BlockID) bool { panic("contract") }

// Add puts id back.
func (m *Missing) Add(id format.BlockID) { panic("contract") }

// Count is the number of blocks in the set.
func (m *Missing) Count() int64 { panic("contract") }

// Runs are the maximal runs of blocks in the set, ascending; a snapshot only
// when nobody takes or adds meanwhile.
func (m *Missing) Runs() iter.Seq[format.BlockRange] { panic("contract") }

// Index finds blocks of one target by their checksums. It never changes; safe
// for concurrent use.
type Index struct{}

// NewIndex indexes the records of the whole target, as the control file stores
// them; it keeps records, which must not change.
func NewIndex(h *format.Header, records []byte) (*Index, error) { panic("contract") }

// Options for the scans. The zero value works.
type Options struct {
	// Workers is how many cores a scan uses at most. Default: GOMAXPROCS.
	Workers int
	// Progress is told how many bytes of the seed were scanned so far; it may be
	// called by several goroutines at once and must be quick. Default: nobody.
	Progress func(scanned int64)
}

// Stats is what a scan did, in bytes.
type Stats struct {
	// Scanned of the seed; Found of the target (each block once, also one that the
	// target has in several places).
	Scanned, Found int64
}

// Deliver takes blocks that were found: data is whole blocks from block first on
// (the target's last one cut at the target's length), valid during the call. They
// were taken from the set before. Several goroutines call it at once.
type Deliver func(first format.BlockID, data []byte) error

// Scan looks at every offset of the size bytes of r for blocks in missing, and
// ends early when none is missing.
//
// Errors: of r and deliver, as they are; ctx's.
func (x *Index) Scan(ctx context.Context, r io.ReaderAt, size int64, missing *Missing, deliver Deliver, o Options) (Stats, error) {
	panic("contract")
}

// ScanReader is Scan for a stream of unknown length.
func (x *Index) ScanReader(ctx context.Context, r io.Reader, missing *Missing, deliver Deliver, o Options) (Stats, error) {
	panic("contract")
}

// ScanFile scans the regular file at path. What gzip compressed is scanned
// decompressed, unless targetName shows that the target is compressed as well.
func (x *Index) ScanFile(ctx context.Context, path, targetName string, missing *Missing, deliver Deliver, o Options) (Stats, error) {
	panic("contract")
}
