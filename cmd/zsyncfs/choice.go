package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/bytesize"
)

// choice is a flag whose value is one of some words, at first the first. It is a
// pflag.Value.
type choice struct {
	words []string
	index int
}

func (c *choice) String() string {
	if len(c.words) == 0 {
		return ""
	}
	return c.words[c.index]
}

// Type is the placeholder in the help.
func (c *choice) Type() string { return "WORD" }

// Set takes one of the words.
func (c *choice) Set(text string) error {
	i := slices.Index(c.words, text)
	if i < 0 {
		return fmt.Errorf("it must be one of %s", strings.Join(c.words, ", "))
	}
	c.index = i
	return nil
}

// completeWords has the flags of cmd that are choices completed.
func completeWords(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if c, ok := f.Value.(*choice); ok {
			// It fails for a flag that there is not, or was given words before.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(c.words, cobra.ShellCompDirectiveNoFileComp))
		}
	})
}

// optionalSize is a number of bytes that may not have been given.
type optionalSize struct {
	size  bytesize.Size
	given bool
}

func (o *optionalSize) String() string {
	if !o.given {
		return ""
	}
	return strconv.FormatInt(int64(o.size), 10)
}

// Type is the placeholder in the help.
func (o *optionalSize) Type() string { return o.size.Type() }

// Set reads what bytesize.Size does.
func (o *optionalSize) Set(text string) error {
	o.given = true
	return o.size.Set(text)
}

// value is the number of bytes; nil when none was given.
func (o *optionalSize) value() *int64 {
	if !o.given {
		return nil
	}
	n := int64(o.size)
	return &n
}
