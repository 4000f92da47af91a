package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

func newStatusCommand() *cobra.Command {
	var cacheDir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what is mounted, open and downloaded, and how much of it is here",
		Example: `  zsyncfs status
  zsyncfs status --json | jq '.mounts[].open'`,
		Args: wantArgs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := storeDir(cacheDir)
			if err != nil {
				return err
			}
			s, err := daemon.NewClient(store).Status(cmd.Context())
			if errors.Is(err, daemon.ErrNoDaemon) {
				s, err = &daemon.Status{Store: daemon.StoreStatus{Dir: store}, Mounts: []daemon.MountStatus{}, Gets: []daemon.GetStatus{}}, nil
			}
			if err != nil {
				return err
			}
			if asJSON {
				return report.PrintJSON(cmd.OutOrStdout(), s)
			}
			return printStatus(cmd.OutOrStdout(), s)
		},
	}
	cmd.Flags().StringVar(&cacheDir, "cache-dir", "", cacheDirHelp)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON; \"pid\" is 0 when no daemon runs")
	return cmd
}

func printStatus(w io.Writer, s *daemon.Status) error {
	if s.PID == 0 {
		_, err := fmt.Fprintf(w, "nothing is mounted from the cache directory %s\n", s.Store.Dir)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "daemon\tpid %d, version %s, up %s\n", s.PID, s.Version, since(s.Since))
	limit := ""
	if s.Store.Limit > 0 {
		limit = " of " + size(s.Store.Limit)
	}
	fmt.Fprintf(t, "cache\t%s: %s, %s of blocks, %s shared, %s%s on disk, %s free\n", printable(s.Store.Dir),
		versions(s.Store.Versions), size(s.Store.DataBytes), size(s.Store.SharedBytes), size(s.Store.DiskBytes), limit, size(s.Store.FreeBytes))
	if trouble := s.Store.Trouble; trouble != nil {
		fmt.Fprintf(t, "  trouble\tfor %s, reads go on, but nothing more is kept: %s\n", since(trouble.Since), printable(trouble.Error))
		if trouble.Hint != "" {
			fmt.Fprintf(t, "  hint\t%s\n", printable(trouble.Hint))
		}
	}
	for _, m := range s.Mounts {
		printMount(t, m)
	}
	for _, g := range s.Gets {
		printGet(t, g)
	}
	return t.Flush()
}

func printMount(t io.Writer, m daemon.MountStatus) {
	dir := printable(m.Dir)
	if m.Detached {
		dir += " (unmounted, files still open)"
	}
	fmt.Fprintf(t, "\n%s\t%s\n", dir, printable(m.Source))
	fmt.Fprintf(t, "  names\t%d, of which %d looked at (%s)\n", m.Entries, m.Known, size(m.Bytes))
	fmt.Fprintf(t, "  network\t%s, %s received, %d failed%s\n", count(m.Requests, "request"), size(m.Received), m.Errors, limit(m.LimitRate))
	for _, h := range m.Hosts {
		if h.FailingSince != nil {
			fmt.Fprintf(t, "  failing\t%s for %s\n", printable(h.Host), since(*h.FailingSince))
		}
	}
	for _, a := range m.Open {
		percent := 100.0
		if a.Blocks > 0 {
			percent = 100 * float64(a.BlocksLocal) / float64(a.Blocks)
		}
		fmt.Fprintf(t, "  open\t%s: %s, %d of %d blocks here (%.1f %%), %s reused, %s fetched, %s, %s%s\n",
			printable(a.URL), size(a.Length), a.BlocksLocal, a.Blocks, percent, size(a.Reused), size(a.Fetched), a.State, count(int64(a.Users), "reader"), work(a))
	}
	for _, f := range m.Faults {
		fmt.Fprintf(t, "  fault\t%s ago: %s: %s\n", since(f.Time), printable(f.Path), printable(f.Error))
	}
}

func printGet(t io.Writer, g daemon.GetStatus) {
	fmt.Fprintf(t, "\nget\t%s\n", printable(g.Source))
	step := printable(g.Step)
	if g.Total > 0 {
		step += fmt.Sprintf(", %s of %s", size(g.Done), size(g.Total))
	}
	fmt.Fprintf(t, "  step\t%s\n  under way\t%s%s\n", step, since(g.Since), limit(g.LimitRate))
	if g.Length > 0 {
		fmt.Fprintf(t, "  here\t%s of %s (%.1f %%)\n", size(g.Known), size(g.Length), 100*float64(g.Known)/float64(g.Length))
	}
}

// limit is what is said of a limited rate; "" when there is none.
func limit(rate int64) string {
	if rate <= 0 {
		return ""
	}
	return fmt.Sprintf(", at most %s/s", size(rate))
}

// work is what goes on with a beside its readers.
func work(a daemon.ArtifactStatus) string {
	switch {
	case a.Searching:
		return ", looking for blocks that are here"
	case a.Filling:
		return ", being completed"
	}
	return ""
}

// count is a number of things.
func count(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

func since(t time.Time) string { return time.Since(t).Round(time.Second).String() }
