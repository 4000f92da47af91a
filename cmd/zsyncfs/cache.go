package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
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
		f.command("verify", "verify [WHICH...]", "Read all blocks from the disk and forget those that are damaged: they are fetched again when they are read", printChecked),
		f.pathCommand(),
	)
	return cmd
}

// command is one that does op with the store and prints the answer.
func (f *cacheFlags) command(op, use, short string, print func(io.Writer, *daemon.CacheAnswer) error) *cobra.Command {
	args := wantArgs(0, -1)
	if op == "gc" {
		args = wantArgs(0, 0)
	}
	return &cobra.Command{
		Use: use, Short: short, Args: args,
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

// pathCommand prints where the store is.
func (f *cacheFlags) pathCommand() *cobra.Command {
	return &cobra.Command{
		Use: "path", Short: "Print the folder of the block store", Args: wantArgs(0, 0),
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
func (f *cacheFlags) do(ctx context.Context, dir string, r daemon.CacheRequest, stderr io.Writer) (*daemon.CacheAnswer, error) {
	deadline := time.Now().Add(getPatience)
	for {
		a, err := daemon.NewClient(dir).Cache(ctx, r)
		if errors.Is(err, daemon.ErrNoDaemon) {
			a, err = cacheHere(ctx, dir, r, stderr)
		}
		if !isLocked(err) || time.Now().After(deadline) {
			return a, fromDaemon(err)
		}
		select { // a daemon starts or ends
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// cacheHere does it with the store in this process.
func cacheHere(ctx context.Context, dir string, r daemon.CacheRequest, stderr io.Writer) (a *daemon.CacheAnswer, err error) {
	if !blockstore.Exists(dir) {
		return &daemon.CacheAnswer{Dir: dir}, nil
	}
	store, err := daemon.OpenStore(dir, func(err error) {
		fmt.Fprintln(stderr, "zsyncfs: note: "+printable(err.Error()))
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return daemon.Cache(ctx, store, r)
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
		used := since(e.Used) + " ago"
		switch {
		case e.Pinned:
			used = "pinned"
		case e.InUse:
			used = "now"
		}
		fmt.Fprintf(t, "%.12s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, size(e.Length), percentOf(e.Local, e.Length), size(e.Shared),
			size(e.Disk), e.State, used, shownFile(e))
		disk += e.Disk
	}
	if err := t.Flush(); err != nil {
		return err
	}
	limit := ""
	if a.Limit > 0 {
		limit = ", of " + size(a.Limit) + " at most"
	}
	_, err := fmt.Fprintf(w, "%s, %s on disk%s, in %s\n", versions(len(a.Entries)), size(disk), limit, printable(a.Dir))
	return err
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
	return count(int64(n), "version")
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
	_, err := fmt.Fprintf(w, "%s of disk given back\n", size(a.Freed))
	return err
}

func printCollected(w io.Writer, a *daemon.CacheAnswer) error {
	_, err := fmt.Fprintf(w, "%s of disk given back\n", size(a.Freed))
	return err
}

func printChecked(w io.Writer, a *daemon.CacheAnswer) error {
	var blocks, bad int64
	for _, r := range a.Checked {
		blocks, bad = blocks+r.Blocks, bad+r.Damaged
		switch {
		case r.Error != "":
			fmt.Fprintf(w, "failed   %s: %s\n", shownFile(r.CacheEntry), printable(r.Error))
		case r.Damaged > 0:
			fmt.Fprintf(w, "damaged  %s: %d blocks were wrong, %d are right\n", shownFile(r.CacheEntry), r.Damaged, r.Blocks)
		default:
			fmt.Fprintf(w, "ok       %s: %s, %s\n", shownFile(r.CacheEntry), count(r.Blocks, "block"), r.State)
		}
	}
	_, err := fmt.Fprintf(w, "%s, %s right, %d damaged\n", versions(len(a.Checked)), count(blocks, "block"), bad)
	return err
}
