package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/doctor"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
)

const doctorLong = `Looks whether an archive, its server and this machine are fit for mounts: ranges,
several ranges at once, validators, compression, redirects, what is wrong in a control
file; FUSE and its permissions, passthrough, and the room for the cache. Of each thing
that is not right it says how it is mended. URL is a directory of control files, of
which the first is looked at, or one of them; without a URL it looks at this machine
only. It changes nothing.

"bad" keeps mounts from working, a "note" is something that costs, or may be meant.
The exit code is 0 when nothing is bad, else that of the first thing that is.`

func newDoctorCommand() *cobra.Command {
	var flags accessFlags
	var cacheDir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [URL]",
		Short: "Tell whether a server, its control files and this machine are fit for mounts",
		Long:  doctorLong,
		Example: `  zsyncfs doctor
  zsyncfs doctor https://cdimage.example.org/daily/
  zsyncfs doctor --json https://example.org/disk.img.zsync | jq '.[] | select(.verdict == "bad")'`,
		Args: wantArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r doctor.Report
			if len(args) == 1 {
				if err := lookAtServer(cmd, &r, flags, args[0]); err != nil {
					return err
				}
			}
			r.Machine()
			store, err := storeDir(cacheDir)
			if err != nil {
				return err
			}
			r.Cache(store)
			addRemedies(&r)
			if asJSON {
				err = report.PrintJSON(cmd.OutOrStdout(), r.Findings)
			} else {
				err = printFindings(cmd.OutOrStdout(), r.Findings)
			}
			return errors.Join(err, diagnosis(&r))
		},
	}
	flags.add(cmd.Flags())
	cmd.Flags().StringVar(&cacheDir, "cache-dir", "", cacheDirHelp)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: a list of about, verdict (ok, note, bad), text and remedy")
	return cmd
}

func lookAtServer(cmd *cobra.Command, r *doctor.Report, flags accessFlags, arg string) error {
	u, err := access.ParseURL(arg)
	if err != nil {
		return withCode(exitUsage, fmt.Errorf("%w: %w", daemon.ErrSource, err))
	}
	a, err := flags.access()
	if err == nil {
		err = a.Check()
	}
	if err != nil {
		return withCode(exitUsage, err)
	}
	client, err := a.NewClient(cmd.Context(), "zsyncfs/"+currentVersion().Version, func(error) {}, arg)
	if err != nil {
		return err
	}
	defer client.Close()
	r.Server(cmd.Context(), client, u)
	return cmd.Context().Err()
}

// addRemedies gives what is bad, and of which the doctor knows no remedy, the hint that
// other commands have for it.
func addRemedies(r *doctor.Report) {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Err != nil && f.Remedy == "" {
			_, f.Remedy = program.Translate(f.Err)
		}
	}
}

// printFindings prints what was found, by what it is about.
func printFindings(w io.Writer, findings []doctor.Finding) error {
	about := ""
	for _, f := range findings {
		if f.About != about {
			about = f.About
			fmt.Fprintf(w, "%s\n", about)
		}
		if _, err := fmt.Fprintf(w, "  %-5s %s\n", f.Verdict, printable(f.Text)); err != nil {
			return err
		}
		if f.Remedy != "" {
			fmt.Fprintf(w, "        remedy: %s\n", printable(f.Remedy))
		}
	}
	return nil
}

// diagnosis is an error when something is bad.
func diagnosis(r *doctor.Report) error {
	bad, notes := 0, 0
	for _, f := range r.Findings {
		switch f.Verdict {
		case doctor.Bad:
			bad++
		case doctor.Note:
			notes++
		}
	}
	worst := r.Worst()
	if worst == nil {
		return nil
	}
	code, _ := program.Translate(worst.Err)
	if code == exitFailure { // the finding is one of the doctor's own
		code = codesOf[worst.About]
		code = max(code, exitFailure)
	}
	return withHint(withCode(code, fmt.Errorf("%s bad, %s", thingsAre(bad), words.Count(int64(notes), "note"))), "what to do is said below each")
}

// codesOf are the exit codes by what a finding is about.
var codesOf = map[string]exitCode{
	doctor.AboutServer: exitSource, doctor.AboutTarget: exitSource,
	doctor.AboutControl: exitControlFile, doctor.AboutMachine: exitMount,
}

// thingsAre is a number of findings with its verb.
func thingsAre(n int) string {
	if n == 1 {
		return "1 thing is"
	}
	return fmt.Sprintf("%d things are", n)
}
