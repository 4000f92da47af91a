package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	hint := fmt.Sprintf("\"%s --help\" lists the flags", cmd.CommandPath())
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := nearest(strings.TrimLeft(unknown.GetSpecifiedName(), "-"), names); near != "" {
			hint = fmt.Sprintf("did you mean \"--%s\"?", near)
		}
	}
	return withHint(withCode(exitUsage, fmt.Errorf("%s: %w", cmd.Name(), err)), "%s", hint)
}

// nearest is the name that word was most likely meant to be, or "" when none
// is near: one that it begins, or one that is two edits away, or a third of its length.
func nearest(word string, names []string) string {
	if word == "" {
		return ""
	}
	best, bestDistance := "", min(max(2, len(word)/3), len(word)-1)+1
	for _, name := range names {
		d := editDistance(word, name)
		if strings.HasPrefix(name, word) {
			d = 1
		}
		if d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// editDistance is the least number of bytes to insert, delete or replace to
// turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(diagonal+cost, row[j]+1, row[j+1]+1)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
