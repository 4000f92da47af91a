package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// usageErrorf is an error in how the command line was written.
func usageErrorf(format string, args ...any) error {
	return withCode(exitUsage, fmt.Errorf(format, args...))
}

// wantArgs checks the number of a command's arguments; most < 0 means any
// number from least on.
func wantArgs(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		var err error
		switch {
		case len(args) < least && len(args) == 0:
			err = usageErrorf("%s: argument missing", cmd.Name())
		case len(args) < least:
			err = usageErrorf("%s: another argument is missing", cmd.Name())
		case most >= 0 && len(args) > most:
			err = usageErrorf("%s: unexpected argument %q", cmd.Name(), args[most])
		default:
			return nil
		}
		return withHint(err, "usage: %s", cmd.UseLine())
	}
}

// flagError turns an error of the flag parser into a usage error that names
// the nearest flag there is.
func flagError(cmd *cobra.Command, err error) error {
	hint := report.FlagHint(cmd.CommandPath(), cmd.Flags(), err)
	return withHint(withCode(exitUsage, fmt.Errorf("%s: %w", cmd.Name(), err)), "%s", hint)
}
