package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/line"
)

// bench is a run: its folder, its servers, and what it has measured with.
type bench struct {
	ctx    context.Context // of the run; a signal ends it
	res    *resources
	work   string // folder for everything
	root   string // what the web server serves
	bin    string // folder of this project's programs
	binary string // zsyncfs
	corpus *corpus
	images *corpus // the images of a Debian; none are large
	sizes  sizes
	repeat int
	short  bool // goals about time do not count
	server *server
	line   *line.Line       // before the web server
	slow   *line.Line       // before the web server
	trip   float64          // the line's round trip as measured, in seconds
	caches map[*tool]string // filled cache folders, kept for the whole run

	profiler *profiler // watches the daemons of zsyncfs; nil: nobody does

	failed map[string]error // files that could not be made, and why
}

// measurementWithin is how long one measurement may take. What it started is
// then released, which makes it fail.
const measurementWithin = 5 * time.Minute

// newBench starts the servers. Data is made when it is known which rows run.
func newBench(ctx context.Context, f flags, res *resources) (*bench, error) {
	b := &bench{
		ctx: ctx, res: res, work: f.work, root: filepath.Join(f.work, "root"),
		bin: f.bin, binary: filepath.Join(f.bin, "zsyncfs"), corpus: &corpus{script: f.corpusScript, dir: f.corpus}, images: &corpus{script: f.imagesScript},
		sizes: fullSizes, repeat: f.repeat, caches: map[*tool]string{}, failed: map[string]error{},
	}
	if f.corpus != "" {
		b.images.dir = filepath.Join(f.corpus, "debian")
	}
	if f.short {
		b.sizes, b.short = shortSizes, true
	}
	if err := os.MkdirAll(b.root, 0o755); err != nil {
		return nil, err
	}
	// nginx reads as nobody when root starts it.
	for _, dir := range []string{b.work, b.root} {
		if err := os.Chmod(dir, 0o755); err != nil {
			return nil, err
		}
	}
	var err error
	if b.server, err = startNginx(res, filepath.Join(b.work, "nginx"), b.root); err != nil {
		return nil, err
	}
	return b, b.openLines()
}

// measureAll makes the data, measures each row and prints its table.
func (b *bench) measureAll(chosen []row) (*report, error) {
	if err := b.makeData(b.neededFiles(chosen)); err != nil {
		return nil, err
	}
	rep := b.newReport()
	fmt.Print(rep.heading())
	for _, r := range chosen {
		result := b.measureRow(r)
		if b.ctx.Err() != nil {
			return nil, b.ctx.Err()
		}
		rep.Rows = append(rep.Rows, result)
		fmt.Print(result.table())
	}
	return rep, nil
}

// measureRow measures a row for all its tools in turn, as often as asked for. A
// tool that fails is not tried again, and a row that needs a program that is
// not there is left out.
func (b *bench) measureRow(r row) *result {
	out := b.newResult(r)
	if r.sized != nil {
		r.metrics = r.sized(b.sizes)
	}
	if out.Skipped = b.missing(r); out.Skipped != "" {
		return out
	}
	for _, f := range r.files {
		if err := b.failed[f]; err != nil {
			out.own().Error = err.Error()
			out.judge(r)
			return out
		}
	}
	repeat := b.repetitions(r)
	for repetition := range repeat {
		for _, t := range r.tools {
			mine := out.of(t)
			if !mine.Installed || mine.Error != "" {
				continue
			}
			s, err := b.measureOnce(r, t, repetition)
			if err != nil {
				mine.Error = err.Error()
				continue
			}
			mine.add(s)
		}
	}
	out.judge(r)
	b.explain(r, out)
	return out
}

// repetitions is how often a row is measured.
func (b *bench) repetitions(r row) int {
	switch {
	case r.once:
		return 1
	case b.short:
		return b.repeat
	}
	return b.repeat * max(r.often, 1)
}

// measureOnce is one measurement. Whatever it started has ended when it returns.
func (b *bench) measureOnce(r row, t *tool, repetition int) (sample, error) {
	height := b.res.mark()
	defer b.res.releaseTo(height)
	watchdog := time.AfterFunc(measurementWithin, func() { b.res.releaseTo(height) })
	defer watchdog.Stop()
	for _, f := range r.files { // the web server's pages are in memory, for all alike
		if err := loadPages(b.original(f)); err != nil {
			return nil, err
		}
	}
	unix.Sync() // what the tool before wrote is none of this one's work
	return r.measure(b, t, repetition)
}
