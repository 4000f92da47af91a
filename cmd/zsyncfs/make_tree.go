package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/zsyncfs/zsyncfs/cmd/internal/progress"
)

// makeAll makes the control files of all that args name, flags.jobs at a time.
// It goes on after failures; the error at the end tells how many there were.
func makeAll(ctx context.Context, stdout, stderr io.Writer, args []string, flags makeFlags) error {
	r := &makeReport{
		stdout: stdout,
		stderr: stderr,
		quiet:  flags.quiet || flags.output == "-",
		single: len(args) == 1 && !flags.recursive,
	}
	if !r.quiet {
		r.task = progress.NewTask(stderr, "making control files")
	}
	jobs := make(chan job)
	var workers sync.WaitGroup
	for range flags.jobs {
		workers.Go(func() {
			for j := range jobs {
				made, err := makeOne(ctx, stdout, j, flags, r.task)
				r.add(j, made, err)
			}
		})
	}
	for _, arg := range args {
		flags.find(ctx, arg, r, jobs)
	}
	close(jobs)
	workers.Wait()
	r.task.End()
	return r.result(ctx)
}

// find sends the jobs for one argument.
func (flags makeFlags) find(ctx context.Context, arg string, r *makeReport, jobs chan<- job) {
	info, err := os.Stat(arg)
	switch {
	case err != nil:
		r.add(job{file: arg}, false, err)
	case info.IsDir() && flags.recursive:
		if walk(ctx, arg, r, jobs) != nil {
			r.cutShort()
		}
	case info.IsDir():
		err := withHint(usageErrorf("it is a directory"), "-r makes control files for the files in it")
		r.add(job{file: arg}, false, err)
	case strings.HasSuffix(arg, controlSuffix):
		err := withHint(usageErrorf("it is a control file by its name"), "name the file that it describes")
		r.add(job{file: arg}, false, err)
	default:
		j := job{file: arg, control: arg + controlSuffix, name: filepath.Base(arg)}
		if flags.output != "" {
			j.control = flags.output
		}
		if send(ctx, jobs, j) != nil {
			r.cutShort()
		}
	}
}

// walk sends a job for each file below dir that is to have a control file. The
// error is that ctx ended before.
func walk(ctx context.Context, dir string, r *makeReport, jobs chan<- job) error {
	dir = filepath.Clean(dir)
	// The slash is for a dir that is a symbolic link: the user named it.
	return filepath.WalkDir(dir+string(filepath.Separator), func(path string, e fs.DirEntry, err error) error {
		path = filepath.Clean(path)
		if err != nil {
			r.add(job{file: path}, false, err)
			return nil
		}
		if path != dir && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.Type().IsRegular() && !strings.HasSuffix(path, controlSuffix) {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			return send(ctx, jobs, job{file: path, control: path + controlSuffix, name: name})
		}
		return ctx.Err()
	})
}

// send hands j to a worker. The error is that ctx ended before.
func send(ctx context.Context, jobs chan<- job, j job) error {
	select {
	case jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// makeReport prints a line for each file and counts them. Safe for concurrent use.
type makeReport struct {
	stdout, stderr io.Writer
	quiet          bool
	// single: there is one file, whose failure is the command's own error.
	single bool
	task   *progress.Task

	mu                     sync.Mutex
	made, upToDate, failed int   // guarded by mu
	last                   error // guarded by mu; of the last file that failed
	cut                    bool  // guarded by mu; the end came before all was done
}

func (r *makeReport) add(j job, made bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled):
		r.cut = true // told once, at the end
	case err != nil:
		r.failed++
		r.last = makeError(j, err)
		if !r.single {
			r.task.Print(r.stderr, "failed      "+printable(r.last.Error()))
		}
	case made:
		r.made++
		r.line("made        " + printable(j.control))
	default:
		r.upToDate++
		r.line("up to date  " + printable(j.control))
	}
}

// cutShort notes that files were left out.
func (r *makeReport) cutShort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
}

func (r *makeReport) line(text string) {
	if !r.quiet {
		r.task.Print(r.stdout, text)
	}
}

// result prints the summary and is the error of the whole command.
func (r *makeReport) result(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil && r.cut {
		return err
	}
	if r.single {
		return r.last
	}
	if !r.quiet {
		fmt.Fprintf(r.stdout, "%d made, %d up to date, %d failed\n", r.made, r.upToDate, r.failed)
	}
	if r.failed == 0 {
		return nil
	}
	err := fmt.Errorf("make: %d of %d files failed", r.failed, r.failed+r.made+r.upToDate)
	if r.failed == 1 {
		err = fmt.Errorf("make: one file failed: %w", r.last)
	}
	return withCode(exitPartial, err)
}
