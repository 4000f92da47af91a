package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/progress"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/fs/whole"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

const getLong = `Downloads the file that the control file at URL describes, through the block
store that mounts use: blocks are taken from there (of this file, and of others
from the same server whose names are alike), from FILE as it is now, and from the
files named with --seed; only what is in none of them is fetched. All of it stays
in the block store, so that a mount of the same URL reads it without the network.

FILE is then made as a copy that shares its disk blocks with the store where the
file system can do that (btrfs, XFS, ...). The whole is verified before. A FILE
that exists is replaced, in one step, when the new one is complete; nothing is
kept of the old one. A run that was interrupted loses nothing that it fetched. A
server that fails is asked again, ever more seldom, until it has sent everything.

When a daemon serves mounts from the cache directory, it does the work.

The last line on standard output is "used N local, fetched N", in bytes. With
--json it is an object with the keys file, length, local, fetched, up_to_date and
verified; with --dry-run as well, one with length, local, would_fetch and runs.`

// getPatience is how long a get waits for another process that has the store for
// a moment.
const getPatience = 15 * time.Second

// getFlags are the flags of "zsyncfs get".
type getFlags struct {
	access   accessFlags
	cacheDir string
	output   string
	seeds    []string
	dryRun   bool
	json     bool
	quiet    bool
}

func newGetCommand() *cobra.Command {
	var f getFlags
	cmd := &cobra.Command{
		Use:   "get URL [-o FILE]",
		Short: "Download one file through the block store",
		Long:  getLong,
		Example: `  zsyncfs get https://example.org/disk.img.zsync
  zsyncfs get https://example.org/disk.img.zsync -o /srv/disk.img -i /srv/disk-old.img
  zsyncfs get https://example.org/disk.img.zsync --dry-run
  zsyncfs get https://example.org/tree.tar.zsync -o - | tar x`,
		Args: wantArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := f.spec(args[0])
			if err != nil {
				return err
			}
			store, err := storeDir(f.cacheDir)
			if err != nil {
				return err
			}
			return newGetter(f, cmd.OutOrStdout(), cmd.ErrOrStderr()).run(cmd.Context(), store, spec)
		},
	}
	s := cmd.Flags()
	s.StringVar(&f.cacheDir, "cache-dir", "", cacheDirHelp)
	s.StringVarP(&f.output, "output", "o", "", "`FILE` to make (default: as the control file names it, here); - is standard output")
	s.StringArrayVarP(&f.seeds, "seed", "i", nil, "`FILE` to look for blocks in, repeatable")
	s.BoolVar(&f.dryRun, "dry-run", false, "only say how much would be fetched")
	s.BoolVar(&f.json, "json", false, "print the result as JSON")
	s.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
	f.access.add(s)
	return cmd
}

// spec is what the flags ask for, with absolute paths.
func (f *getFlags) spec(url string) (daemon.GetSpec, error) {
	s := daemon.GetSpec{Source: url, NoFile: f.output == "-", DryRun: f.dryRun}
	var err error
	if s.Access, err = f.access.access(); err != nil {
		return s, err
	}
	if s.Dir, err = os.Getwd(); err != nil {
		return s, err
	}
	if f.output != "" && !s.NoFile {
		if s.File, err = resolved(f.output); err != nil {
			return s, err
		}
		if _, err := os.Stat(filepath.Dir(s.File)); err != nil {
			return s, err // before anything is fetched
		}
	}
	for _, seed := range f.seeds {
		path, err := resolved(seed)
		if err != nil {
			return s, err
		}
		s.Seeds = append(s.Seeds, path)
	}
	if err := s.Check(); errors.Is(err, daemon.ErrSource) {
		return s, withHint(withCode(exitUsage, err), "%s", hintControl)
	} else if err != nil {
		return s, withCode(exitUsage, err)
	}
	return s, nil
}

// resolved is the absolute form of path without symbolic links.
func resolved(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return resolve(abs), nil
}

// getter carries out one get and shows how it goes.
type getter struct {
	flags          getFlags
	stdout, stderr io.Writer
	printer        *progress.Printer
	snapshot       atomic.Pointer[func() download.Progress]
	result         daemon.GetResult
}

func newGetter(f getFlags, stdout, stderr io.Writer) *getter {
	g := &getter{flags: f, stdout: stdout, stderr: stderr}
	g.printer = newProgress(stderr, f.quiet)
	g.printer.Watch(func() download.Progress {
		if ask := g.snapshot.Load(); ask != nil {
			return (*ask)()
		}
		return download.Progress{}
	})
	return g
}

func (g *getter) watch() daemon.GetWatch {
	return daemon.GetWatch{
		Step:     g.printer.Step,
		Progress: func(ask func() download.Progress) { g.snapshot.Store(&ask) },
		Warn:     func(err error) { note(g.printer, g.stderr, err) },
	}
}

func (g *getter) run(ctx context.Context, store string, spec daemon.GetSpec) error {
	err := g.getSomehow(ctx, store, spec)
	g.printer.Stop()
	if err != nil {
		return getError(ctx, spec, err)
	}
	out := g.stdout
	if spec.NoFile && !spec.DryRun && !spec.Pin {
		out = g.stderr // the target's bytes have the other
	}
	return g.report(out, spec)
}

// getSomehow has the daemon of the store do it, or does it here when there is
// none.
func (g *getter) getSomehow(ctx context.Context, store string, spec daemon.GetSpec) error {
	deadline := time.Now().Add(getPatience)
	for {
		began := time.Now()
		err := daemon.NewClient(store).Get(ctx, spec, g.watch(), func(r daemon.GetResult, data *os.File) error { return g.use(ctx, r, data) })
		if errors.Is(err, daemon.ErrNoDaemon) {
			if time.Since(began) > time.Second { // lost on the way; a daemon drops a client that was stopped
				deadline = time.Now().Add(getPatience)
			}
			err = g.getHere(ctx, store, spec)
		}
		if !isLocked(err) || time.Now().After(deadline) {
			return err
		}
		select { // a daemon starts or ends, or another get is at work
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// getHere does it with the store in this process.
func (g *getter) getHere(ctx context.Context, dir string, spec daemon.GetSpec) (err error) {
	var store *blockstore.Store
	if !spec.DryRun || blockstore.Exists(dir) {
		store, err = daemon.OpenStore(dir, func(err error) { note(g.printer, g.stderr, err) })
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
	}
	return daemon.Get(ctx, store, spec, "zsyncfs/"+currentVersion().Version, g.watch(),
		func(r daemon.GetResult, data *os.File) error { return g.use(ctx, r, data) })
}

// use makes the file of what is in the store.
func (g *getter) use(ctx context.Context, r daemon.GetResult, data *os.File) error {
	g.printer.Stop()
	g.result = r
	switch {
	case data == nil:
		return nil
	case r.File == "":
		_, err := io.Copy(g.stdout, io.NewSectionReader(data, 0, r.Length))
		return err
	}
	if err := whole.Export(ctx, data, r.Length, r.File, r.Modified); err != nil {
		return withPlaceHint(fmt.Errorf("make %s, which is complete in the block store: %w", r.File, err), "; nothing is fetched again")
	}
	return nil
}

// report prints the result.
func (g *getter) report(out io.Writer, spec daemon.GetSpec) error {
	r := g.result
	if spec.DryRun {
		return printPlan(out, r.Length, r.Result, g.flags.json)
	}
	if g.flags.json {
		return report.PrintJSONLine(out, struct {
			File     string `json:"file"`
			Length   int64  `json:"length"`
			Local    int64  `json:"local"`
			Fetched  int64  `json:"fetched"`
			UpToDate bool   `json:"up_to_date"`
			Verified bool   `json:"verified"`
		}{r.File, r.Length, r.Local, r.Fetched, r.UpToDate, !r.Unverified})
	}
	if r.Unverified {
		note(g.printer, g.stderr, errors.New("the control file has no digest of the whole file; each block was verified"))
	}
	if r.UpToDate {
		fmt.Fprintf(out, "%s is up to date\n", printable(r.File))
	}
	_, err := fmt.Fprintf(out, "used %d local, fetched %d\n", r.Local, r.Fetched)
	return err
}

// note tells what a person should know, beside the progress. Several goroutines
// have some.
func note(p *progress.Printer, stderr io.Writer, err error) {
	p.Print(stderr, "zsyncfs: note: "+printable(err.Error()))
}
