package download

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/seed"
)

// Download makes one target file. Its methods belong to one goroutine, except
// for Progress.
type Download struct {
	o     Options
	h     *format.Header
	geo   format.Geometry
	index *seed.Index

	missing   *seed.Missing // blocks that nobody has claimed
	unwritten *seed.Missing // blocks that are not in the file yet
	unfetched *seed.Missing // blocks that did not come over the network in this run
	dense     *seed.Missing // blocks that the file may hold data of: not those left as holes
	part      string        // the path of the file under construction
	out       *os.File      // Path.part, locked; nil while planning and when closed
	sparse    bool          // what was not written reads as zeros
	fresh     bool          // Path.part had nothing in it when this run began
	written   atomic.Bool   // now it has
	setAside  []string      // files to be removed at the end
	follow    *follower

	step    atomic.Pointer[Step]
	done    atomic.Int64 // bytes of the step
	local   atomic.Int64
	fetched atomic.Int64
	hashed  atomic.Int64 // bytes of the file that the follower has read
}

// New prepares a download; no file is touched.
//
// Errors: the records are not those of the whole target.
func New(o Options) (*Download, error) {
	geo := o.Header.Geometry()
	count := geo.BlockCount()
	if want := count * o.Header.RecordSize(); int64(len(o.Records)) != want {
		return nil, fmt.Errorf("%d bytes of records for a target that has %d", len(o.Records), want)
	}
	if o.Step == nil {
		o.Step = func(Step) {}
	}
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.FailingSince == nil {
		o.FailingSince = func() time.Time { return time.Unix(0, 0) }
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	d := &Download{o: o, h: o.Header, geo: geo, part: o.Path + ".part",
		missing: seed.NewMissing(count), unwritten: seed.NewMissing(count), unfetched: seed.NewMissing(count),
		dense: seed.NewMissing(count)}
	d.step.Store(&Step{})
	if o.Source != nil {
		o.Source.SetLocal(writtenBlocks{d})
	}
	return d, nil
}

// Progress is a snapshot. Safe for concurrent use.
func (d *Download) Progress() Progress {
	p := Progress{Step: *d.step.Load(), Done: d.done.Load(), Length: d.geo.Length,
		Known: min(d.local.Load()+d.fetched.Load(), d.geo.Length)}
	if p.Step.Kind == Verifying {
		p.Done = d.hashed.Load()
	}
	return p
}

// begin starts a step.
func (d *Download) begin(kind Kind, name string, total int64) {
	s := &Step{Kind: kind, Name: name, Total: total}
	d.o.Step(*s) // who shows progress can still see how the step before ended
	d.done.Store(0)
	d.step.Store(s)
}

// Run makes the file; it is called once. When it fails, what was found and fetched stays in
// Path.part for the next run, and Result.Part says so; without any of that,
// nothing is left.
//
// Errors: ErrBusy; ErrNotRegular; those of the files, as *fs.PathError and the
// like; a *FetchError for what could not be fetched; a *VerifyError when the whole
// is not the target; ctx's.
func (d *Download) Run(ctx context.Context) (Result, error) {
	if done, err := d.upToDate(ctx); err != nil || done {
		return Result{Local: d.geo.Length, UpToDate: true, Unverified: len(d.h.FileHashes) == 0, Path: d.o.Path}, err
	}
	if err := d.openPart(); err != nil {
		return Result{}, err
	}
	err := d.assemble(ctx)
	r := d.result()
	part := d.partPath()
	if err == nil && d.o.Packed {
		part, err = d.pack(ctx)
	}
	if err == nil {
		r.Old, r.UpToDate, err = d.finish(part)
		r.Path = d.o.Path
	}
	if err != nil && !d.removeEmpty() && refuseOdd(d.partPath(), false) == nil {
		r.Part = d.partPath()
	}
	d.closePart()
	return r, err
}

// Plan finds out what Run would fetch, and writes nothing.
func (d *Download) Plan(ctx context.Context) (Result, error) {
	if done, err := d.upToDate(ctx); err != nil || done {
		return Result{Local: d.geo.Length, UpToDate: true}, err
	}
	if err := d.planPart(ctx); err != nil {
		return Result{}, err
	}
	if err := d.scanSeeds(ctx); err != nil {
		return Result{}, err
	}
	r := d.result()
	for run := range d.missing.Runs() {
		r.Missing += d.geo.Bytes(run).Length()
		r.MissingRuns++
	}
	return r, nil
}

func (d *Download) result() Result {
	return Result{Local: d.local.Load(), Fetched: d.fetched.Load(), Unverified: len(d.h.FileHashes) == 0}
}

// assemble brings every block into the file, and verifies the whole.
func (d *Download) assemble(ctx context.Context) error {
	d.follow = d.newFollower(ctx)
	defer func() { d.follow.stop() }()
	if err := d.resume(ctx); err != nil {
		return err
	}
	if err := d.scanSeeds(ctx); err != nil {
		return err
	}
	if err := d.fetch(ctx); err != nil {
		return err
	}
	return d.verify(ctx)
}

// write puts claimed blocks into the file; many goroutines call it at once.
// data is whole blocks from first on, the target's last one cut.
func (d *Download) write(first format.BlockID, data []byte) error {
	if d.out != nil {
		if err := d.writeAt(data, d.geo.Offset(first)); err != nil {
			return err
		}
	}
	last := d.geo.Block(d.geo.Offset(first) + int64(len(data)) - 1)
	for id := first; id <= last; id++ {
		d.unwritten.Take(id)
	}
	if d.follow != nil {
		d.follow.wake()
	}
	return nil
}

// writeAt writes data at off, but not zeros where zeros are.
func (d *Download) writeAt(data []byte, off int64) error {
	if !d.sparse {
		return d.writeData(data, off)
	}
	size := int(d.geo.BlockSize)
	for start := 0; start < len(data); {
		end := start
		for end < len(data) && !allZero(data[end:min(end+size, len(data))]) {
			end = min(end+size, len(data))
		}
		if end > start {
			if err := d.writeData(data[start:end], off+int64(start)); err != nil {
				return err
			}
		}
		for end < len(data) && allZero(data[end:min(end+size, len(data))]) {
			d.dense.Take(d.geo.Block(off + int64(end)))
			end = min(end+size, len(data))
		}
		start = end
	}
	return nil
}

func (d *Download) writeData(data []byte, off int64) error {
	n, err := d.out.WriteAt(data, off)
	if n > 0 {
		d.written.Store(true)
	}
	return err
}

// raise makes a at least n.
func raise(a *atomic.Int64, n int64) {
	for {
		old := a.Load()
		if old >= n || a.CompareAndSwap(old, n) {
			return
		}
	}
}

// isMissingFile says whether err is that there is no such file.
func isMissingFile(err error) bool { return errors.Is(err, os.ErrNotExist) }
