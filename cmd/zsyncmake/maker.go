package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/format"
)

// maker makes control files. Its methods are safe for concurrent use.
type maker struct {
	*options
	stdin, stdout *os.File
	console       *console
	// beforeStream is called before a control file is written to a pipe or
	// device; may be nil.
	beforeStream func()

	mu      sync.Mutex
	claimed map[string]string // guarded by mu; outputs, with whose they are
}

// mostWorkers is how many files are made at a time at most. One large file
// keeps all cores busy by itself; for small ones more would only wait for the disk.
const mostWorkers = 4

// makeAll makes all jobs, several at a time, and goes on after failures. The
// failure of a single job is the error; with several, each is printed and the
// error counts them. When ctx ends before they are done, its cause is the error.
func (m *maker) makeAll(ctx context.Context, list []job) error {
	jobs := make(chan job)
	var mu sync.Mutex
	var failures []error // guarded by mu
	made := 0            // guarded by mu
	var workers sync.WaitGroup
	for range min(len(list), runtime.GOMAXPROCS(0), mostWorkers) {
		workers.Go(func() {
			for j := range jobs {
				err := m.makeOne(ctx, j)
				if err != nil && ctx.Err() != nil {
					continue
				}
				if err != nil && len(list) > 1 {
					m.console.print(func(w io.Writer) { program.Report(w, err) })
				}
				mu.Lock()
				if err == nil {
					made++
				} else {
					failures = append(failures, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, j := range list {
		select {
		case jobs <- j:
		case <-ctx.Done():
		}
	}
	close(jobs)
	workers.Wait()
	switch {
	case made+len(failures) < len(list):
		return context.Cause(ctx)
	case len(failures) == 0:
		m.noteURLs(list)
		return nil
	case len(list) == 1:
		return failures[0]
	}
	return fmt.Errorf("%d of %d files failed", len(failures), len(list))
}

// makeOne makes one control file.
func (m *maker) makeOne(ctx context.Context, j job) error {
	j.start = time.Now()
	in, err := m.openInput(ctx, j)
	if err != nil {
		return named(j, err)
	}
	if !j.stdin() {
		defer in.file.Close()
	}
	switch {
	case m.compress:
		return m.makePacked(ctx, j, in)
	case in.gzip() && !m.asIs:
		return m.makeInside(ctx, j, in)
	}
	return m.makeAsIs(ctx, j, in)
}

// makeAsIs makes the control file of the bytes of a file, whatever they are.
func (m *maker) makeAsIs(ctx context.Context, j job, in *input) error {
	if in.gzip() && !m.compat && len(m.plainURLs) > 0 {
		m.console.note("%s: -U is left out, since it does not lead to the gzip file", j.title())
	}
	b, err := m.newBuilder(j, in)
	if err != nil {
		return err
	}
	if err := in.feed(ctx, m.console.count(b)); err != nil {
		return named(j, err)
	}
	return m.finish(j, b)
}

// newBuilder is the builder of the control file of j, which can be written.
func (m *maker) newBuilder(j job, in *input) (*format.Builder, error) {
	if err := m.claim(j, j.control, in); err != nil {
		return nil, err
	}
	o, err := m.builderOptions(j, in)
	if err != nil {
		return nil, err
	}
	b, err := format.NewBuilder(o)
	if err != nil {
		return nil, named(j, err)
	}
	return b, nil
}

// claim sees to it that path can be written, and that no other job writes it.
func (m *maker) claim(j job, path string, in *input) error {
	if path == "-" {
		return nil
	}
	if err := checkOutput(path, in.file); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := outputKey(runtime.GOOS, path)
	if by, ok := m.claimed[key]; ok && by != j.file {
		return report.WithHint(fmt.Errorf("%s: %s is written for %s already", j.title(), path, by),
			"run zsyncmake for each of them, with -o")
	}
	if m.claimed == nil {
		m.claimed = map[string]string{}
	}
	m.claimed[key] = j.file
	return nil
}

// finish writes the control file.
func (m *maker) finish(j job, b *format.Builder) error {
	if err := m.save(j.control, func(w io.Writer) error { _, err := b.WriteTo(w); return err }); err != nil {
		if j.control == "-" {
			return fmt.Errorf("standard output: %w", err)
		}
		return named(job{file: j.control}, err)
	}
	if m.verbose {
		h, err := b.Header()
		if err != nil {
			return named(j, err)
		}
		m.console.say("%s: %d bytes in %d blocks of %d, checksums %v (%v), to %s in %.2f s",
			j.title(), h.Length, h.Geometry().BlockCount(), h.BlockSize, h.Lengths(), h.Strong, j.control, time.Since(j.start).Seconds())
	}
	return nil
}

// named is err with the name of j's target, which an error of the file system
// has already.
func named(j job, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && path.Path == j.file {
		return err
	}
	return fmt.Errorf("%s: %w", j.title(), err)
}

// builderOptions are what the control file of j is to be.
func (m *maker) builderOptions(j job, in *input) (format.BuilderOptions, error) {
	o := format.BuilderOptions{
		Filename:       j.name,
		BlockSize:      int64(m.blockSize),
		ExpectedLength: in.length(),
		Strong:         m.strong,
	}
	o.URLs, o.ZURLs = m.urlsFor(j, in.gzip())
	if !in.mtime.IsZero() {
		o.MTime = making.CarriableTime(in.mtime)
	}
	if !m.compat {
		if !making.Carriable(j.name) {
			o.Filename = ""
			m.console.note("%s: the control file has no Filename, since it cannot carry this one; -f gives another", j.title())
		}
		return o, nil
	}
	o.SHA1Only = true
	o.Lengths = format.HashLengths
	o.ExtraRecord = j.packed != ""
	o.Encode = format.EncodeOptions{SafeSeparator: " ", SafeColon: true}
	if !making.Carriable(j.name) {
		return o, report.WithHint(fmt.Errorf("%s: a control file cannot carry this name", j.title()), "give another with -f, and a URL with -u")
	}
	if len(m.urls) == 0 && !making.Carriable(j.file) {
		return o, report.WithHint(fmt.Errorf("%s: a control file cannot carry this path as a URL", j.title()), "give the URL with -u")
	}
	return o, nil
}

// noteURLs tells what the default URLs rely on.
func (m *maker) noteURLs(list []job) {
	switch {
	case len(m.urls) > 0:
	case len(list) > 1:
		m.console.note("no -u given: each control file leads to its file by the path that was typed, and must be published where it does")
	case list[0].stdin() && len(m.plainURLs) > 0:
	case list[0].stdin():
		m.console.note("no -u given: the control file does not say where the target is")
	default:
		m.console.note("no -u given: the control file leads to %s, relative to its own URL; publish them so that it does", m.leadsTo(list[0]))
	}
}

// leadsTo is the file that the control file of j leads to by default.
func (m *maker) leadsTo(j job) string {
	if m.compress {
		return m.packedFile(j.file)
	}
	return j.file
}
