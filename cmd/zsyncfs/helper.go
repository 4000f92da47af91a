package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// The program is called by mount(8) in two ways, of which neither has a command:
//
//	mount.zsyncfs SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]
//	zsyncfs SOURCE DIR -o OPTIONS
//
// The first is mount -t zsyncfs, by a link of that name in /sbin; the second is
// mount -t fuse.zsyncfs, by way of mount.fuse(8). Source: mount(8), "External helpers".

// The exit codes of a helper are those of mount(8).
const (
	helperUsage       = 1
	helperInterrupted = 8
	helperFailed      = 32
)

// helper is such a call.
type helper struct {
	name        string // of the program, for messages
	source, dir string
	options     string
	sloppy      bool // options that nobody knows are left out
	fake        bool // everything but the mount
	verbose     bool
}

// isHelperCall says whether the program that is called argv0 was called by mount(8).
func isHelperCall(argv0 string, args []string) bool {
	if strings.HasPrefix(filepath.Base(argv0), "mount.") {
		return true
	}
	return len(args) >= 4 && !strings.HasPrefix(args[0], "-") && slices.Contains(args[2:], "-o") &&
		(access.IsURL(args[0]) || filepath.IsAbs(args[1]) && !isCommand(args[0]))
}

func helperUsageLine(name string) string {
	return "usage: " + name + " SOURCE DIR [-sfnv] [-o OPTIONS]"
}

// parseHelper reads the arguments of a helper.
func parseHelper(name string, args []string) (*helper, error) {
	h := &helper{name: name}
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SetInterspersed(true)
	flags.SetOutput(io.Discard)
	flags.BoolVarP(&h.sloppy, "sloppy", "s", false, "")
	flags.BoolVarP(&h.fake, "fake", "f", false, "")
	flags.BoolP("no-mtab", "n", false, "")
	flags.BoolVarP(&h.verbose, "verbose", "v", false, "")
	namespace := flags.StringP("namespace", "N", "", "")
	options := flags.StringArrayP("options", "o", nil, "")
	kind := flags.StringP("types", "t", "", "")
	if err := flags.Parse(args); err != nil {
		return nil, fmt.Errorf("%w; %s", err, helperUsageLine(name))
	}
	switch rest := flags.Args(); {
	case len(rest) != 2:
		return nil, fmt.Errorf("SOURCE and DIR are wanted, %s given; %s", were(len(rest)), helperUsageLine(name))
	case *namespace != "":
		return nil, errors.New("-N: mounting in another namespace is left to nsenter(1)")
	case *kind != "" && !slices.Contains([]string{"zsyncfs", "fuse.zsyncfs"}, *kind):
		return nil, fmt.Errorf("-t %s: the type is zsyncfs", *kind)
	default:
		h.source, h.dir = rest[0], rest[1]
	}
	h.options = strings.Join(*options, ",")
	return h, nil
}

// runHelper mounts as mount(8) asks for it, and returns its exit code.
func runHelper(ctx context.Context, argv0 string, args []string, stdout, stderr io.Writer) int {
	name := filepath.Base(argv0)
	h, err := parseHelper(name, args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintf(stdout, "%s\nmount.zsyncfs(8) lists the options\n", helperUsageLine(name))
		return 0
	}
	var words []string
	if err == nil {
		words, err = mountWords(h.options, h.sloppy)
	}
	if err != nil {
		err = withCode(exitUsage, err)
		return helperCode(report.Program{Name: name, Table: translations}.Report(stderr, err))
	}
	words = append([]string{"mount"}, append(words, "--", h.source, h.dir)...)
	if h.fake {
		return 0
	}
	code := execute(ctx, words, stdout, stderr)
	if code == 0 && h.verbose {
		fmt.Fprintf(stdout, "%s: %s mounted on %s\n", name, printable(shownSource(h.source)), printable(h.dir))
	}
	return helperCode(code)
}

// helperCode is what mount(8) calls one of this program's exit codes.
func helperCode(code int) int {
	switch exitCode(code) {
	case exitOK:
		return 0
	case exitUsage:
		return helperUsage
	case exitInterrupted, exitTerminated:
		return helperInterrupted
	}
	return helperFailed
}

// isCommand says whether the program has a command of that name.
func isCommand(name string) bool {
	_, err := commandAt(newRoot(), []string{name})
	return err == nil
}
