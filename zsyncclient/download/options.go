package download

import (
	"errors"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

var (
	// ErrBusy: another process is making the same file.
	ErrBusy = errors.New("another process is downloading to this file")
	// ErrNotRegular: a name that the download needs is taken by something that
	// is no regular file.
	ErrNotRegular = errors.New("not a regular file")
	// ErrNoSource: blocks are missing, and there is nowhere to fetch them from.
	ErrNoSource = errors.New("there is no URL to fetch from")
)

// Options for New. Header, Records and Path are needed; the rest may be zero.
type Options struct {
	Header *format.Header
	// Records are the records of all blocks, as the control file stores them.
	// They must not change.
	Records []byte
	// Path is where the target goes.
	Path string
	// Packed: the file at Path is to be the gzip file that the target was
	// published as (see PackedName). Where that cannot be made, the target goes to
	// PlainPath, and Warn is told. Without it, PlainPath is not used.
	Packed    bool
	PlainPath string
	// Seeds are the paths of more files to look for blocks in, beside Path and
	// what an earlier run left.
	Seeds []string
	// Source is where missing blocks are fetched from. Default: nowhere.
	Source *zsyncclient.Source
	// Patience is how long fetching goes on while no block arrives; a
	// third of it before the first block. Default: 30 s.
	Patience time.Duration
	// FailingSince is since when a host of Source has not answered well; the zero
	// time while all do. Then a slow line is no reason to give up. One goroutine
	// calls it, a few times while patience lasts. Default: they are taken to fail
	// whenever nothing arrives.
	FailingSince func() time.Time
	// Force makes the file anew even if Path is the target already.
	Force bool
	// Workers is how many cores a scan uses at most. Default: all.
	Workers int
	// Step is told of each step just before it begins: Progress is still that of
	// the step before. It may call nothing but that. Default: nobody.
	Step func(Step)
	// Warn is told what a person should know and that did not end the download
	// (a seed that cannot be read ...). Default: nobody.
	Warn func(error)
}

// Kind is what a step does.
type Kind int

// The kinds of steps.
const (
	// Checking: Path may be the target already.
	Checking Kind = iota
	// Resuming: what an earlier run left in Path.part is checked.
	Resuming
	// Scanning: a seed is scanned.
	Scanning
	// Fetching: missing blocks are fetched.
	Fetching
	// Verifying: the digests of the whole are completed.
	Verifying
	// Compressing: the published gzip file is made of the target.
	Compressing
)

// String is the kind in one word.
func (k Kind) String() string {
	return [...]string{"checking", "resuming", "scanning", "fetching", "verifying", "compressing"}[k]
}

// Step is one step of a download.
type Step struct {
	Kind Kind
	// Name is the seed's path, or the URL (without query) first fetched from.
	Name string
	// Total is how many bytes the step has to do: of the seed, of missing blocks,
	// of the target.
	Total int64
}

// Progress is how far a download is, in bytes.
type Progress struct {
	Step Step
	// Done of Step.Total.
	Done int64
	// Length of the target, and how much of it is in Path.part.
	Length, Known int64
}

// Result is what a download did, in bytes of the target.
type Result struct {
	// Local came from seeds and from an earlier run, Fetched over the network.
	Local, Fetched int64
	// Missing is what Plan found in no seed; Run leaves 0.
	Missing int64
	// MissingRuns is the number of runs of blocks in Missing.
	MissingRuns int64
	// Unverified: the control file has no digest of the whole that could be
	// checked; every block matched its own checksum.
	Unverified bool
	// UpToDate: Path was the target already.
	UpToDate bool
	// Path is where the file is.
	Path string
	// Old is where the file that was at Path is now; "" when there was none.
	Old string
	// Part is what a run that failed left for the next one; "" when nothing.
	Part string
}
