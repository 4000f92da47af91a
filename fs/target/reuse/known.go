package reuse

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"sort"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// knownReader reads runs of blocks of a version, one after
// the other without what is between them: a scan would only lose time there.
// Safe for concurrent use.
type knownReader struct {
	version *blockstore.Version
	geo     format.Geometry
	size    int64 // bytes in all
	runs    []knownRun
}

// knownRun is bytes [at, at+bytes.Length()) of a knownReader.
type knownRun struct {
	at    int64
	bytes format.Range // of the target
}

// newKnownReader reads runs of blocks of v that are here, in ascending order.
func newKnownReader(v *blockstore.Version, runs []format.BlockRange) *knownReader {
	r := &knownReader{version: v, geo: v.Header().Geometry()}
	for _, run := range runs {
		bytes := r.geo.Bytes(run)
		r.runs = append(r.runs, knownRun{at: r.size, bytes: bytes})
		r.size += bytes.Length()
	}
	return r
}

// run is the index of the run that byte off lies in.
func (r *knownReader) run(off int64) int {
	return sort.Search(len(r.runs), func(i int) bool { return r.runs[i].at > off }) - 1
}

// place is where n bytes from off on lie in the target; false when that is not in
// one piece.
func (r *knownReader) place(off, n int64) (int64, bool) {
	i := r.run(off)
	if off < 0 || i < 0 {
		return 0, false
	}
	run := r.runs[i]
	skip := off - run.at
	return run.bytes.Start + skip, skip+n <= run.bytes.Length()
}

// near is where byte off of the target, or what comes next, is read.
func (r *knownReader) near(off int64) int64 {
	i := sort.Search(len(r.runs), func(i int) bool { return r.runs[i].bytes.End > off })
	if i == len(r.runs) {
		return r.size
	}
	return r.runs[i].at + max(off-r.runs[i].bytes.Start, 0)
}

// ReadAt is that of io.ReaderAt. Blocks that were lost meanwhile read as zeros.
func (r *knownReader) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for i := r.run(off); n < len(p) && i >= 0 && i < len(r.runs); i++ {
		run := r.runs[i]
		skip := off + int64(n) - run.at
		part := p[n:][:min(int64(len(p)-n), run.bytes.Length()-skip)]
		if err := r.read(part, run.bytes.Start+skip); err != nil {
			return n, err
		}
		n += len(part)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// read fills p from byte off of the target.
func (r *knownReader) read(p []byte, off int64) error {
	for len(p) > 0 {
		n, err := r.version.ReadAt(p, off)
		p, off = p[n:], off+int64(n)
		var damaged *blockstore.DamagedError
		switch {
		case len(p) == 0:
			return nil
		case errors.Is(err, blockstore.ErrUnknownBlock), errors.As(err, &damaged):
			lost := min(r.geo.Offset(r.geo.Block(off)+1)-off, int64(len(p)))
			clear(p[:lost])
			p, off = p[lost:], off+lost
		case err == nil:
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
	return nil
}

func sortRuns(runs []blockstore.Shared) {
	slices.SortFunc(runs, func(a, b blockstore.Shared) int { return cmp.Compare(a.Blocks.Start, b.Blocks.Start) })
}
