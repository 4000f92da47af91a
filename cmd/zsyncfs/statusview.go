package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
	"github.com/zsyncfs/zsyncfs/fs"
)

func printStatus(w io.Writer, s *daemon.Status) error {
	if s.PID == 0 {
		_, err := fmt.Fprintf(w, "nothing is mounted from the cache directory %s\n%s", printable(s.Store.Dir), elsewhere())
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "daemon\tpid %d, version %s, up %s\n", s.PID, printable(s.Version), words.Since(s.Since))
	if s.Page != "" {
		fmt.Fprintf(t, "page\t%s, whose actions want the token in %s\n", printable(s.Page), printable(daemon.TokenPath(s.Store.Dir)))
	}
	limit := ""
	if s.Store.Limit > 0 {
		limit = " of " + words.Size(s.Store.Limit)
	}
	fmt.Fprintf(t, "cache\t%s: %s, %s of blocks, %s shared, %s%s on disk, %s free\n", printable(s.Store.Dir),
		versions(s.Store.Versions), words.Size(s.Store.DataBytes), words.Size(s.Store.SharedBytes), words.Size(s.Store.DiskBytes), limit, words.Size(s.Store.FreeBytes))
	if trouble := s.Store.Trouble; trouble != nil {
		fmt.Fprintf(t, "  trouble\tfor %s, nothing more is kept; reads go on, except with --verify=strict: %s\n", words.Since(trouble.Since), printable(trouble.Error))
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

// elsewhere tells of mounts of other cache directories: of services that have their own,
// and of other users.
func elsewhere() string {
	dirs, err := fs.MountPoints()
	if err != nil || len(dirs) == 0 {
		return ""
	}
	return fmt.Sprintf("from others: %s (\"zsyncfs status MOUNTPOINT\" asks the daemon of one)\n", printable(strings.Join(dirs, ", ")))
}

func printMount(t io.Writer, m daemon.MountStatus) {
	dir := printable(m.Dir)
	if m.Detached {
		dir += " (unmounted, files still open)"
	}
	name := ""
	if m.Archive != "" {
		name = fmt.Sprintf(" (archive %s)", printable(m.Archive))
	}
	fmt.Fprintf(t, "\n%s\t%s%s\n", dir, printable(m.Source), name)
	fmt.Fprintf(t, "  names\t%d, of which %d looked at (%s)\n", m.Entries, m.Known, words.Size(m.Bytes))
	fmt.Fprintf(t, "  network\t%s, %s received%s, %d failed%s\n", words.Count(m.Requests, "request"), words.Size(m.Received), now(m.Rate), m.Errors, limit(m.LimitRate))
	printReads(t, m)
	for _, h := range m.Hosts {
		if h.FailingSince != nil {
			fmt.Fprintf(t, "  failing\t%s for %s\n", printable(h.Host), words.Since(*h.FailingSince))
		}
	}
	for _, a := range m.Open {
		printArtifact(t, a)
	}
	for _, f := range m.Faults {
		fmt.Fprintf(t, "  fault\t%s ago: %s: %s\n", words.Since(f.Time), printable(f.Path), printable(f.Error))
	}
}

// printReads says how reads were answered, if there were any.
func printReads(t io.Writer, m daemon.MountStatus) {
	r := m.Reads
	if r.Local+r.Waited == 0 {
		return
	}
	text := fmt.Sprintf("%d answered at once (%s)", r.Local, words.Size(r.LocalBytes))
	if r.Waited > 0 {
		mean := time.Duration(r.WaitSeconds / float64(r.Waited) * float64(time.Second))
		text += fmt.Sprintf(", %d after a wait (%s, %v on the mean)", r.Waited, words.Size(r.WaitedBytes), mean.Round(100*time.Microsecond))
	}
	if r.Failed > 0 {
		text += fmt.Sprintf(", %d failed", r.Failed)
	}
	fmt.Fprintf(t, "  reads\t%s\n", text)
	if f := r.LastFailure; f != nil {
		fmt.Fprintf(t, "  failed\t%s ago: %s: %s\n", words.Since(f.Time), printable(f.Path), printable(f.Error))
	}
}

func printArtifact(t io.Writer, a daemon.ArtifactStatus) {
	percent := 100.0
	if a.Blocks > 0 {
		percent = 100 * float64(a.BlocksLocal) / float64(a.Blocks)
	}
	fmt.Fprintf(t, "  open\t%s: %s, %d of %d blocks here (%.1f %%), %s reused, %s fetched%s, %s, %s%s%s\n",
		printable(a.URL), words.Size(a.Length), a.BlocksLocal, a.Blocks, percent, words.Size(a.Reused), words.Size(a.Fetched), now(a.Rate), printable(a.State),
		words.Count(int64(a.Users), "reader"), programs(a.Readers), work(a))
}

// programs names those that have an artifact open, as far as they are known.
func programs(readers []daemon.ReaderStatus) string {
	var names []string
	for _, r := range readers {
		if r.Program != "" {
			names = append(names, fmt.Sprintf("%s %d", printable(r.Program), r.PID))
		}
	}
	const most = 5
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// now is what is said of a rate; "" when nothing moves.
func now(rate float64) string {
	if rate < 1 {
		return ""
	}
	return fmt.Sprintf(" (now %s/s)", words.Size(int64(rate)))
}

func printGet(t io.Writer, g daemon.GetStatus) {
	fmt.Fprintf(t, "\nget\t%s\n", printable(g.Source))
	step := printable(g.Step)
	if g.Total > 0 {
		step += fmt.Sprintf(", %s of %s", words.Size(g.Done), words.Size(g.Total))
	}
	fmt.Fprintf(t, "  step\t%s\n  under way\t%s%s\n", step, words.Since(g.Since), limit(g.LimitRate))
	if g.Length > 0 {
		fmt.Fprintf(t, "  here\t%s of %s (%.1f %%)\n", words.Size(g.Known), words.Size(g.Length), 100*float64(g.Known)/float64(g.Length))
	}
}

// limit is what is said of a limited rate; "" when there is none.
func limit(rate int64) string {
	if rate <= 0 {
		return ""
	}
	return fmt.Sprintf(", at most %s/s", words.Size(rate))
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
