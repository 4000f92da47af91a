package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zsyncfs/zsyncfs/cmd/internal/bytesize"
	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/progress"
)

const controlSuffix = ".zsync"

// makeFlags are the flags of "make".
type makeFlags struct {
	output    string
	recursive bool
	blockSize bytesize.Size
	urls      []string
	force     bool
	quiet     bool
	jobs      int
}

func newMakeCommand() *cobra.Command {
	var flags makeFlags
	cmd := &cobra.Command{
		Use:   "make FILE...",
		Short: "Make control files",
		Long: `Make the control file of each FILE, beside it as FILE.zsync. With -r, arguments
may be directories: control files are made for every regular file below them,
but not for control files, names that start with a dot, and symbolic links.

What is up to date is left as it is: a control file that can be read, has the
file's length and time of change, and is not older. A control file is replaced
in one step, so a reader never sees half of one. A file that changes while it is
read is reported as failed, and the others are made.`,
		Example: `  zsyncfs make debian.iso
  zsyncfs make -r /srv/images
  zsyncfs make -u https://example.org/pub/ -o /srv/zsync/debian.iso.zsync debian.iso`,
		Args: wantArgs(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.check(args); err != nil {
				return err
			}
			return makeAll(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args, flags)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&flags.output, "output", "o", "", "write the control file of the one FILE to `PATH`; - is standard output")
	f.BoolVarP(&flags.recursive, "recursive", "r", false, "make control files for whole directories")
	f.VarP(&flags.blockSize, "block-size", "b", "block `SIZE` in bytes, a power of two; K and M may follow\n(default: 2048, from 100 million bytes on 4096)")
	f.StringArrayVarP(&flags.urls, "url", "u", nil, "`URL` of the file, relative to the control file's or absolute; can be given\nmore than once; one that ends in / gets the file's name added\n(default: the file's name)")
	f.BoolVar(&flags.force, "force", false, "make control files that are up to date as well")
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "print failures only")
	f.IntVarP(&flags.jobs, "jobs", "j", 0, "make `N` control files at a time (default: the CPUs, at most 4)")
	return cmd
}

// check refuses flags that do not go together.
func (flags *makeFlags) check(args []string) error {
	if flags.output != "" && (len(args) > 1 || flags.recursive) {
		return withHint(usageErrorf("make: --output is for a single FILE"), "leave it out to write each control file beside its file")
	}
	if flags.jobs < 0 {
		return usageErrorf("make: --jobs must not be negative")
	}
	if flags.jobs == 0 {
		flags.jobs = min(runtime.NumCPU(), 4)
	}
	if err := withCode(exitUsage, flags.blockSize.CheckBlock()); err != nil {
		return err
	}
	many := len(args) > 1 || flags.recursive
	for _, u := range flags.urls {
		if err := checkURL(u, many); err != nil {
			return err
		}
	}
	return nil
}

// checkURL refuses what readers would misread.
func checkURL(u string, many bool) error {
	if strings.ContainsFunc(u, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return withHint(usageErrorf("make: the URL %q has a space or control character", u), "write a space as %%20")
	}
	parsed, err := url.Parse(u)
	if err != nil || u == "" || parsed.Scheme != "" && parsed.Host == "" {
		return usageErrorf("make: %q is not a URL", u)
	}
	if many && !strings.HasSuffix(u, "/") {
		return withHint(usageErrorf("make: --url %s would be the same for several files", u), "end it with / to have each file's name added")
	}
	return nil
}

// job is one control file to make.
type job struct {
	// file is the target's path as given or found, and control where its
	// control file goes.
	file, control string
	// name is the target's path below the directory given, or its base name.
	name string
}

// options are those of the control file of j.
func (flags makeFlags) options(j job) making.Options {
	o := making.Options{BlockSize: int64(flags.blockSize)}
	for _, u := range flags.urls {
		if strings.HasSuffix(u, "/") {
			u += making.RelativePathURL(filepath.ToSlash(j.name))
		}
		o.URLs = append(o.URLs, u)
	}
	return o
}

// makeOne makes the control file of j; false when it was up to date.
func makeOne(ctx context.Context, stdout io.Writer, j job, flags makeFlags, task *progress.Task) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	// Asked before it is opened: opening a pipe would wait, and some devices
	// act when they are opened.
	info, err := os.Stat(j.file)
	if err == nil && !info.Mode().IsRegular() {
		err = making.ErrNotRegular
	}
	if err != nil {
		return false, err
	}
	o := flags.options(j)
	if !flags.force && j.control != "-" && making.UpToDate(j.control, info, o) {
		return false, nil
	}
	f, err := os.Open(j.file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	task.Grow(info.Size())
	o.Progress = task.Add
	write := func(w io.Writer) error {
		_, err := making.Write(ctx, f, o, w)
		return err
	}
	if j.control == "-" {
		return true, write(stdout)
	}
	// Nobody executes a control file, whatever the target is.
	return true, withPlaceHint(making.Save(j.control, info.Mode().Perm()&0o666, write), "")
}

// makeError is the error of one file, which an error of the file system names
// already.
func makeError(j job, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && path.Path == j.file {
		return err
	}
	return fmt.Errorf("%s: %w", j.file, err)
}
