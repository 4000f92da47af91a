package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
)

const duLong = `Shows what the block store takes of the disk, by file: all versions of it together,
the largest first. Blocks that versions share count once, for the one that has them.

WHICH is as for "zsyncfs cache". --depth 1 adds up by server, 2 by the first folder
there, and so on.`

// duEntry is what the versions of one file, or of a folder of them, take. Its JSON keys
// are stable.
type duEntry struct {
	Name     string `json:"name"` // URL of the file or folder; "" when it was lost
	Disk     int64  `json:"disk"` // bytes
	Local    int64  `json:"local"`
	Shared   int64  `json:"shared"`
	Versions int    `json:"versions"`
	Pinned   int    `json:"pinned"` // versions that stay when room is made
	InUse    int    `json:"in_use"` // versions that are open
}

func newDuCommand() *cobra.Command {
	var f cacheFlags
	var depth int
	cmd := &cobra.Command{
		Use:   "du [WHICH...]",
		Short: "Show what the block store takes of the disk, by file",
		Long:  duLong,
		Example: `  zsyncfs du
  zsyncfs du --depth 1
  zsyncfs du 'daily-*.iso'`,
		Args: wantArgs(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if depth < 0 {
				return usageErrorf("--depth must not be less than 0")
			}
			store, err := storeDir(f.cacheDir)
			if err != nil {
				return err
			}
			a, err := f.do(cmd.Context(), store, daemon.CacheRequest{Op: "ls", Match: args}, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			list := diskUse(a.Entries, depth)
			if f.json {
				return report.PrintJSON(cmd.OutOrStdout(), list)
			}
			return printDu(cmd.OutOrStdout(), a, list)
		},
	}
	cmd.Flags().StringVar(&f.cacheDir, "cache-dir", "", cacheDirHelp)
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON; sizes are bytes")
	cmd.Flags().IntVarP(&depth, "depth", "d", 0, "add up by the first `N` parts of the URL; 0: by file")
	return cmd
}

// diskUse adds entries up by file, or by the first depth parts of their URL.
func diskUse(entries []daemon.CacheEntry, depth int) []duEntry {
	byName := map[string]*duEntry{}
	for _, e := range entries {
		name := duName(e.URL, depth)
		d := byName[name]
		if d == nil {
			d = &duEntry{Name: name}
			byName[name] = d
		}
		d.Disk += e.Disk
		d.Local += e.Local
		d.Shared += e.Shared
		d.Versions++
		if e.Pinned {
			d.Pinned++
		}
		if e.InUse {
			d.InUse++
		}
	}
	list := []duEntry{}
	for _, d := range byName {
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b duEntry) int {
		return cmp.Or(cmp.Compare(b.Disk, a.Disk), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// duName is the name that a URL counts for.
func duName(url string, depth int) string {
	url = strings.TrimSuffix(url, ".zsync")
	scheme, rest, ok := strings.Cut(url, "://")
	if depth == 0 || !ok {
		return url
	}
	parts := strings.SplitAfterN(rest, "/", depth+1)
	return scheme + "://" + strings.Join(parts[:min(depth, len(parts))], "")
}

func printDu(w io.Writer, a *daemon.CacheAnswer, list []duEntry) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var disk int64
	count := 0
	if len(list) > 0 {
		fmt.Fprintln(t, "DISK\tHERE\tSHARED\tVERSIONS\tFILE")
	}
	for _, d := range list {
		name := cmp.Or(printable(d.Name), "(unknown)")
		if d.Pinned > 0 {
			name += " (pinned)"
		}
		if d.InUse > 0 {
			name += " (in use)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", words.Size(d.Disk), words.Size(d.Local), words.Size(d.Shared), d.Versions, name)
		disk += d.Disk
		count += d.Versions
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %s, in %s\n", onDisk(disk, a.Limit), versions(count), printable(a.Dir))
	return err
}
