package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/progress"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
	"github.com/zsyncfs/zsyncfs/cmd/internal/terminal"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// newProgress shows progress on a terminal only.
func newProgress(stderr io.Writer, quiet bool) *progress.Printer {
	mode := progress.None
	if f, ok := stderr.(*os.File); ok && terminal.Is(f) && !quiet {
		mode = progress.Bar
	}
	return progress.New(stderr, mode)
}

// printPlan prints what would be fetched of a target of length bytes.
func printPlan(out io.Writer, length int64, r download.Result, asJSON bool) error {
	if asJSON {
		return report.PrintJSONLine(out, struct {
			Length     int64 `json:"length"`
			Local      int64 `json:"local"`
			WouldFetch int64 `json:"would_fetch"`
			Runs       int64 `json:"runs"`
		}{length, r.Local, r.Missing, r.MissingRuns})
	}
	percent := 0.0
	if length > 0 {
		percent = 100 * float64(r.Missing) / float64(length)
	}
	_, err := fmt.Fprintf(out, "would fetch %d bytes in %s (%.1f %%); %d bytes are here\n",
		r.Missing, words.Count(r.MissingRuns, "run"), percent, r.Local)
	return err
}

// hintControl is for commands that take the URL of one control file.
const hintControl = "URL must be that of a control file, such as https://example.org/NAME.zsync"

// getError gives err the words of the command.
func getError(ctx context.Context, spec daemon.GetSpec, err error) error {
	err = signals.Explain(ctx, aboutControl(spec.Source, fromDaemon(err)))
	if u, perr := url.Parse(spec.Source); perr == nil {
		err = fmt.Errorf("get %s: %w", zsyncclient.Redact(u), err)
	}
	return err
}

// aboutControl gives err advice on what a control file is, when that may be the
// trouble.
func aboutControl(location string, err error) error {
	code, hint := program.Translate(err)
	named := strings.Contains(location, ".zsync")
	if hint == hintDirectory || !named && (code == exitControlFile || code == exitSource) {
		return withHint(err, "%s", hintControl)
	}
	return err
}

// fromDaemon turns what a daemon told into an error with its code and hint.
func fromDaemon(err error) error {
	var failure *daemon.Failure
	if !errors.As(err, &failure) {
		return err
	}
	err = withCode(exitCode(failure.Code), failure)
	if failure.Hint != "" {
		err = withHint(err, "%s", failure.Hint)
	}
	return err
}
