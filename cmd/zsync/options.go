package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/bytesize"
	"github.com/zsyncfs/zsyncfs/cmd/internal/progress"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// options are those of the command line.
type options struct {
	auth    []string
	seeds   []string
	keep    string
	output  string
	quiet   bool
	silent  bool
	referer string
	verbose bool
	version bool
	help    bool

	insecure     bool
	allowPrivate bool
	netrc        string
	caCert       string
	header       []string
	mirrors      []string
	limitRate    bytesize.Size

	check    bool
	resolve  bool
	force    bool
	dryRun   bool
	progress progress.Mode

	// control is the one argument: a URL or a path.
	control string
}

// flags are those that helpText describes.
func (o *options) flags() *pflag.FlagSet {
	s := pflag.NewFlagSet("zsync", pflag.ContinueOnError)
	s.SetOutput(io.Discard)
	s.Usage = func() {}
	s.StringArrayVarP(&o.seeds, "seed-file", "i", nil, "")
	s.StringVarP(&o.output, "output", "o", "", "")
	s.StringVarP(&o.referer, "url", "u", "", "")
	s.StringArrayVar(&o.mirrors, "mirror", nil, "")
	s.StringVarP(&o.keep, "copy-zsync-file-to", "k", "", "")

	s.StringArrayVarP(&o.auth, "auth", "A", nil, "")
	s.StringVar(&o.netrc, "netrc", "", "")
	s.StringArrayVar(&o.header, "header", nil, "")
	s.StringVar(&o.caCert, "cacert", "", "")
	s.BoolVarP(&o.insecure, "no-check-certificate", "I", false, "")
	s.BoolVar(&o.insecure, "insecure", false, "")
	s.BoolVar(&o.allowPrivate, "allow-private", false, "")
	s.Var(&o.limitRate, "limit-rate", "")

	s.BoolVarP(&o.check, "check-for-changes", "j", false, "")
	s.BoolVarP(&o.dryRun, "dry-run", "n", false, "")
	s.BoolVarP(&o.resolve, "resolve-redirection", "r", false, "")
	s.BoolVar(&o.force, "force-update", false, "")

	s.BoolVarP(&o.quiet, "quiet", "q", false, "")
	s.BoolVarP(&o.silent, "silent", "s", false, "")
	s.BoolVarP(&o.verbose, "verbose", "v", false, "")
	s.Var(&o.progress, "progress", "")
	s.BoolVarP(&o.version, "version", "V", false, "")
	s.BoolVarP(&o.help, "help", "h", false, "")
	return s
}

// parse reads the command line.
func (o *options) parse(args []string) error {
	s := o.flags()
	if err := s.Parse(args); err != nil {
		return usageError(err, report.FlagHint("zsync", s, err))
	}
	if o.version || o.help {
		return nil
	}
	o.quiet = o.quiet || o.silent
	switch {
	case s.Changed("output") && o.output == "":
		return usageError(errors.New("-o: the name is empty"), "")
	case s.NArg() == 0:
		return usageError(errors.New("no control file given"), usageLine)
	case s.NArg() > 1:
		return usageError(fmt.Errorf("one control file is wanted, %d were given", s.NArg()), usageLine)
	}
	o.control = s.Arg(0)
	if strings.Contains(o.control, "://") && !access.IsURL(o.control) {
		_, err := access.ParseURL(o.control)
		return usageError(err, "control files are fetched from URLs that begin with http:// or https://")
	}
	if o.resolve && !access.IsURL(o.control) {
		return usageError(errors.New("-r wants a URL"), "")
	}
	if o.referer != "" {
		if _, err := access.ParseURL(o.referer); err != nil {
			return usageError(fmt.Errorf("-u: %w", err), "it begins with http:// or https://")
		}
	}
	return nil
}
