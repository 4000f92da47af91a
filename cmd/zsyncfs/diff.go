package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
	"github.com/zsyncfs/zsyncfs/fs/whole"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

const diffLong = `Says how many bytes would have to be fetched to make, from the files OLD, the
file that the control file NEW.zsync describes. NEW.zsync is a path or a URL.
Nothing but a control file is fetched, and the block store is not looked at:
"zsyncfs get --dry-run" does that.

With --json the answer is an object with the keys length, local, would_fetch and
runs.`

// diffFlags are the flags of "zsyncfs diff".
type diffFlags struct {
	access accessFlags
	json   bool
	quiet  bool
}

func newDiffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff OLD... NEW.zsync",
		Short: "Say how much of a new version an old file has",
		Long:  diffLong,
		Example: `  zsyncfs diff disk-1.img disk-2.img.zsync
  zsyncfs diff disk-1.img https://example.org/disk-2.img.zsync`,
		Args: wantArgs(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			last := len(args) - 1
			return diff(cmd.Context(), f, args[:last], args[last], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s := cmd.Flags()
	s.BoolVar(&f.json, "json", false, "print the result as JSON")
	s.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
	f.access.add(s)
	return cmd
}

func diff(ctx context.Context, f diffFlags, old []string, control string, stdout, stderr io.Writer) error {
	reach, err := f.access.access()
	if err == nil {
		err = reach.Check()
	}
	if err != nil {
		return withCode(exitUsage, err)
	}
	for _, path := range old {
		if access.IsURL(path) {
			return withHint(usageErrorf("diff: OLD is a file of this machine, not a URL"),
				"usage: zsyncfs diff OLD... NEW.zsync [flags]; \"zsyncfs get\" downloads a file")
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s: %w", path, making.ErrNotRegular)
		}
	}
	printer := newProgress(stderr, f.quiet)
	defer printer.Stop()
	warn := func(err error) { note(printer, stderr, err) }
	ctl, err := diffControl(ctx, reach, control, warn)
	if err != nil {
		return fmt.Errorf("read %s: %w", redacted(control), signals.Explain(ctx, aboutControl(control, err)))
	}
	fill, err := whole.New(whole.Options{Control: ctl, Seeds: old, Step: printer.Step, Warn: warn})
	if err != nil {
		return err
	}
	defer fill.Close()
	printer.Watch(fill.Progress)
	r, err := fill.Plan(ctx)
	if err != nil {
		return signals.Explain(ctx, err)
	}
	printer.Stop()
	return printPlan(stdout, ctl.Header.Length, r, f.json)
}

// diffControl reads the control file at a path or URL.
func diffControl(ctx context.Context, a access.Access, location string, warn func(error)) (*zsyncclient.Control, error) {
	if !access.IsURL(location) {
		return access.ReadControl(ctx, location, nil)
	}
	u, err := access.ParseURL(location)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	client, err := a.NewClient(ctx, "zsyncfs/"+currentVersion().Version, warn, location)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.FetchWholeControl(ctx, u, zsyncclient.Validators{})
}

// redacted is a path, or a URL without what may be secret.
func redacted(location string) string {
	if !access.IsURL(location) {
		return location
	}
	if u, err := access.ParseURL(location); err == nil {
		return zsyncclient.Redact(u)
	}
	return "the URL"
}
