package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
)

const pinLong = `Brings all of the file that the control file at URL describes into the block store,
without making a file of it, and keeps it there: it does not go when room is made
for others. Mounts of the same URL then read it without fetching any of it. What
versions of it are in the store is used, and only the rest is fetched.

With --remove it may go again when room is needed; "zsyncfs cache rm" removes it at
once. WHICH is as for "zsyncfs cache".`

func newPinCommand() *cobra.Command {
	var f getFlags
	var remove bool
	cmd := &cobra.Command{
		Use:   "pin URL | --remove WHICH...",
		Short: "Complete one file in the block store and keep it there",
		Long:  pinLong,
		Example: `  zsyncfs pin https://example.org/disk.img.zsync
  zsyncfs pin --remove disk.img`,
		Args: wantArgs(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := storeDir(f.cacheDir)
			if err != nil {
				return err
			}
			if remove {
				return unpin(cmd, store, args)
			}
			if len(args) != 1 {
				return usageErrorf("one URL is wanted, %d were given", len(args))
			}
			spec, err := f.spec(args[0])
			if err != nil {
				return err
			}
			spec.NoFile, spec.Pin = true, true
			return newGetter(f, cmd.OutOrStdout(), cmd.ErrOrStderr()).run(cmd.Context(), store, spec)
		},
	}
	s := cmd.Flags()
	s.StringVar(&f.cacheDir, "cache-dir", "", cacheDirHelp)
	s.BoolVar(&remove, "remove", false, "let it go when room is needed")
	s.StringArrayVarP(&f.seeds, "seed", "i", nil, "file or folder, a `PATH`, to look for blocks in, repeatable")
	s.BoolVar(&f.json, "json", false, "print the result as JSON")
	s.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
	f.access.add(s)
	return cmd
}

func unpin(cmd *cobra.Command, store string, which []string) error {
	var f cacheFlags
	a, err := f.do(cmd.Context(), store, daemon.CacheRequest{Op: "unpin", Match: which}, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if len(a.Entries) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "nothing of that was pinned")
	}
	for _, e := range a.Entries {
		fmt.Fprintf(cmd.OutOrStdout(), "not pinned any more: %s\n", shownFile(e))
	}
	return nil
}
