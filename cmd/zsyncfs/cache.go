package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/progress"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
)

const cacheLong = `Looks after the block store: the folder in which blocks are kept that were read
or downloaded (--cache-dir). Each version of a file that was opened is one entry.
Versions share blocks: what several have is on the disk once, and stays for the
others when one of them goes.

WHICH is the name of a file (with * and ?), the URL of its control file, or the
beginning of an ID, as "zsyncfs cache ls" shows them.`

// cacheFlags are the flags of the commands about the store.
type cacheFlags struct {
	cacheDir  string
	json, all bool
}

func newCacheCommand() *cobra.Command {
	var f cacheFlags
	cmd := &cobra.Command{
		Use:   "cache COMMAND",
		Short: "List, check and clean up the block store",
		Long:  cacheLong,
		Example: `  zsyncfs cache ls
  zsyncfs cache rm 'daily-2024*'
  zsyncfs cache verify`,
		Args: rootArgs,
		RunE: runRoot,
	}
	cmd.PersistentFlags().StringVar(&f.cacheDir, "cache-dir", "", cacheDirHelp)
	cmd.PersistentFlags().BoolVar(&f.json, "json", false, "print JSON")
	rm := f.command("rm", "rm WHICH... | --all", "Remove versions; those that are in use stay", printRemoved)
	rm.Flags().BoolVar(&f.all, "all", false, "remove all that nobody uses")
	cmd.AddCommand(
		f.command("ls", "ls [WHICH...]", "List the versions: how much of each is here, and what it takes", printEntries),
		rm,
		f.command("gc", "gc", "Give back room that nobody needs; nothing that could be read goes", printCollected),
		f.verifyCommand(),
		f.pathCommand(),
	)
	return cmd
}

// cacheExamples are those of the commands by their operation.
var cacheExamples = map[string]string{
	"ls": "  zsyncfs cache ls\n  zsyncfs cache ls --json 'daily-*.iso' | jq '.entries[].disk'",
	"rm": "  zsyncfs cache rm 'daily-2024*'\n  zsyncfs cache rm --all",
	"gc": "  zsyncfs cache gc",
}

// command is one that does op with the store and prints the answer.
func (f *cacheFlags) command(op, use, short string, print func(io.Writer, *daemon.CacheAnswer) error) *cobra.Command {
	args := wantArgs(0, -1)
	if op == "gc" {
		args = wantArgs(0, 0)
	}
	return &cobra.Command{
		Use: use, Short: short, Args: args, Example: cacheExamples[op],
		RunE: func(cmd *cobra.Command, args []string) error {
			if op == "rm" && len(args) == 0 && !f.all {
				return withHint(usageErrorf("nothing was named"), "\"zsyncfs cache ls\" lists what is there; --all removes all of it")
			}
			store, err := storeDir(f.cacheDir)
			if err != nil {
				return err
			}
			a, err := f.do(cmd.Context(), store, daemon.CacheRequest{Op: op, Match: args, All: f.all}, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if f.json {
				err = report.PrintJSON(cmd.OutOrStdout(), a)
			} else {
				err = print(cmd.OutOrStdout(), a)
			}
			return errors.Join(err, damaged(a))
		},
	}
}

// verifyCommand checks versions.
func (f *cacheFlags) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify [WHICH...]", Args: wantArgs(0, -1), RunE: f.verify,
		Short:   "Read all blocks from the disk and forget those that are damaged: they are fetched again when they are read",
		Example: "  zsyncfs cache verify\n  zsyncfs cache verify 'daily-*.iso'",
	}
}

// pathCommand prints where the store is.
func (f *cacheFlags) pathCommand() *cobra.Command {
	return &cobra.Command{
		Use: "path", Short: "Print the folder of the block store", Args: wantArgs(0, 0),
		Example: "  du -sh \"$(zsyncfs cache path)\"",
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := storeDir(f.cacheDir)
			if err != nil {
				return err
			}
			if f.json {
				return report.PrintJSONLine(cmd.OutOrStdout(), daemon.CacheAnswer{Dir: store})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), store)
			return err
		},
	}
}

// do has the daemon of the store do r, or does it here when there is none.
func (f *cacheFlags) do(ctx context.Context, dir string, r daemon.CacheRequest, stderr io.Writer) (a *daemon.CacheAnswer, err error) {
	s := &cacheSession{dir: dir, stderr: stderr}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.do(ctx, r)
}

// cacheSession does things with a store one after the other: by its daemon, or, when there
// is none, with the store in this process, which is opened once.
type cacheSession struct {
	dir    string
	stderr io.Writer
	store  *blockstore.Store // nil while it is not open here
}

func (s *cacheSession) do(ctx context.Context, r daemon.CacheRequest) (*daemon.CacheAnswer, error) {
	var a *daemon.CacheAnswer
	err := untilUnlocked(ctx, getPatience, func() (err error) {
		a, err = s.try(ctx, r)
		return err
	})
	return a, fromDaemon(err)
}

func (s *cacheSession) try(ctx context.Context, r daemon.CacheRequest) (*daemon.CacheAnswer, error) {
	if s.store == nil {
		a, err := daemon.NewClient(s.dir).Cache(ctx, r)
		if !errors.Is(err, daemon.ErrNoDaemon) {
			return a, err
		}
		if !blockstore.Exists(s.dir) {
			return &daemon.CacheAnswer{Dir: s.dir}, nil
		}
		s.store, err = daemon.OpenStore(s.dir, func(err error) {
			fmt.Fprintln(s.stderr, "zsyncfs: note: "+printable(err.Error()))
		})
		if err != nil {
			return nil, err
		}
	}
	return daemon.Cache(ctx, s.store, r)
}

func (s *cacheSession) close() error {
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}

// verify checks version after version, with a bar on a terminal.
func (f *cacheFlags) verify(cmd *cobra.Command, args []string) (err error) {
	store, err := storeDir(f.cacheDir)
	if err != nil {
		return err
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	s := &cacheSession{dir: store, stderr: cmd.ErrOrStderr()}
	defer func() { err = errors.Join(err, s.close()) }()
	list, err := s.do(ctx, daemon.CacheRequest{Op: "ls", Match: args})
	if err != nil {
		return err
	}
	task := progress.NewTask(cmd.ErrOrStderr(), "checking")
	defer task.End()
	for _, e := range list.Entries {
		task.Grow(e.Local)
	}
	all := &daemon.CacheAnswer{Dir: list.Dir, Limit: list.Limit}
	for _, e := range list.Entries {
		a, err := s.do(ctx, daemon.CacheRequest{Op: "verify", Match: []string{e.ID}})
		if errors.Is(err, daemon.ErrNoMatch) {
			task.Add(e.Local) // it is gone by now
			continue
		}
		if err != nil {
			return err
		}
		all.Checked = append(all.Checked, a.Checked...)
		if !f.json {
			for _, r := range a.Checked {
				task.Print(out, checkedLine(r))
			}
		}
		task.Add(e.Local)
	}
	task.End()
	if f.json {
		err = report.PrintJSON(out, all)
	} else {
		err = printCheckedSum(out, all)
	}
	return errors.Join(err, damaged(all))
}

// damaged is an error when something was.
func damaged(a *daemon.CacheAnswer) error {
	for _, r := range a.Checked {
		if r.Damaged > 0 || r.Error != "" {
			return withHint(withCode(exitVerify, errors.New("damage was found")),
				"what was damaged is forgotten, and fetched again when it is read; a disk that does this again is failing")
		}
	}
	if len(a.Kept) > 0 {
		return withHint(withCode(exitPartial, errors.New("some versions are in use")), "they go when their files are closed and the command is run again")
	}
	return nil
}

func printEntries(w io.Writer, a *daemon.CacheAnswer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var disk int64
	if len(a.Entries) > 0 {
		fmt.Fprintln(t, "ID\tSIZE\tHERE\tSHARED\tDISK\tSTATE\tUSED\tFILE")
	}
	for _, e := range a.Entries {
		used := words.Since(e.Used) + " ago"
		switch {
		case e.Pinned:
			used = "pinned"
		case e.InUse:
			used = "now"
		}
		fmt.Fprintf(t, "%.12s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, words.Size(e.Length), percentOf(e.Local, e.Length), words.Size(e.Shared),
			words.Size(e.Disk), e.State, used, shownFile(e))
		disk += e.Disk
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s, %s, in %s\n", versions(len(a.Entries)), onDisk(disk, a.Limit), printable(a.Dir))
	return err
}

// onDisk is how much lies on the disk, and how much may; 0: no limit.
func onDisk(disk, limit int64) string {
	if limit <= 0 {
		return words.Size(disk) + " on disk"
	}
	return fmt.Sprintf("%s on disk, of %s at most", words.Size(disk), words.Size(limit))
}

// shownFile is the URL of the file that e is a version of.
func shownFile(e daemon.CacheEntry) string {
	if e.URL == "" {
		return "(unknown)"
	}
	return printable(strings.TrimSuffix(e.URL, ".zsync"))
}

// versions is a number of versions.
func versions(n int) string {
	return words.Count(int64(n), "version")
}

func percentOf(part, whole int64) string {
	switch {
	case part == whole:
		return "all"
	case part == 0:
		return "none"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

func printRemoved(w io.Writer, a *daemon.CacheAnswer) error {
	for _, e := range a.Entries {
		fmt.Fprintf(w, "removed %s\n", shownFile(e))
	}
	for _, e := range a.Kept {
		fmt.Fprintf(w, "in use  %s\n", shownFile(e))
	}
	_, err := fmt.Fprintf(w, "%s of disk given back\n", words.Size(a.Freed))
	return err
}

func printCollected(w io.Writer, a *daemon.CacheAnswer) error {
	_, err := fmt.Fprintf(w, "%s of disk given back\n", words.Size(a.Freed))
	return err
}

// checkedLine is what was found of one version.
func checkedLine(r daemon.CacheResult) string {
	switch {
	case r.Error != "":
		return fmt.Sprintf("failed   %s: %s", shownFile(r.CacheEntry), printable(r.Error))
	case r.Damaged > 0:
		return fmt.Sprintf("damaged  %s: %d blocks were wrong, %d are right", shownFile(r.CacheEntry), r.Damaged, r.Blocks)
	}
	return fmt.Sprintf("ok       %s: %s, %s", shownFile(r.CacheEntry), words.Count(r.Blocks, "block"), r.State)
}

func printCheckedSum(w io.Writer, a *daemon.CacheAnswer) error {
	var blocks, bad int64
	for _, r := range a.Checked {
		blocks, bad = blocks+r.Blocks, bad+r.Damaged
	}
	_, err := fmt.Fprintf(w, "%s, %s right, %d damaged\n", versions(len(a.Checked)), words.Count(blocks, "block"), bad)
	return err
}
