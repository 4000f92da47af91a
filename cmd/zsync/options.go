package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

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

	check    bool
	resolve  bool
	force    bool
	dryRun   bool
	progress progress.Mode

	// control is the one argument: a URL or a path.
	control string
}

const usageLine = "Usage: zsync [OPTION]... {CONTROLFILE | URL}"

func (o *options) flags() *pflag.FlagSet {
	s := pflag.NewFlagSet("zsync", pflag.ContinueOnError)
	s.SetOutput(io.Discard)
	s.Usage = func() {}
	s.SortFlags = false
	s.StringArrayVarP(&o.seeds, "seed-file", "i", nil, "look for blocks in `FILE`, too; repeatable")
	s.StringVarP(&o.output, "output", "o", "", "make `FILE` instead of what the control file names")
	s.StringVarP(&o.keep, "copy-zsync-file-to", "k", "", "keep the control file as `FILE`, and fetch it only if it changed since")
	s.StringVarP(&o.referer, "url", "u", "", "`URL` that a local control file came from")
	s.StringArrayVarP(&o.auth, "auth", "A", nil, "`HOST=USER:PASSWORD` for a host; repeatable. HOST may have a scheme and port;\notherwise those of the control file's URL, or the usual port, are meant")
	s.BoolVarP(&o.quiet, "quiet", "q", false, "print nothing but errors")
	s.BoolVarP(&o.silent, "silent", "s", false, "the same")
	s.BoolVarP(&o.verbose, "verbose", "v", false, "say more")
	s.Var(&o.progress, "progress", "how to show progress: auto, bar, lines, json or none")
	s.BoolVarP(&o.check, "check-for-changes", "j", false, "only say whether the file is up to date: exit code 0 if it is, 1 if not")
	s.BoolVarP(&o.dryRun, "dry-run", "n", false, "only say how much would be fetched")
	s.BoolVarP(&o.resolve, "resolve-redirection", "r", false, "only print where the URL is redirected to")
	s.BoolVar(&o.force, "force-update", false, "make the file anew even if it is up to date")
	s.BoolVarP(&o.insecure, "no-check-certificate", "I", false, "do not check the server's certificate (also --insecure)")
	s.BoolVar(&o.insecure, "insecure", false, "")
	s.BoolVar(&o.allowPrivate, "allow-private", false, "let control files and redirects lead to private and loopback addresses")
	s.StringVar(&o.netrc, "netrc", "", "`FILE` with passwords by host (default: $NETRC or ~/.netrc)")
	s.StringVar(&o.caCert, "cacert", "", "PEM `FILE` of certificate authorities to trust")
	s.StringArrayVar(&o.header, "header", nil, "\"`NAME: VALUE`\" to send to the URL's host; repeatable")
	s.StringArrayVar(&o.mirrors, "mirror", nil, "`URL` of the target, or of a folder that has it, tried last; repeatable")
	s.BoolVarP(&o.version, "version", "V", false, "print the version")
	s.BoolVarP(&o.help, "help", "h", false, "print this")
	_ = s.MarkHidden("insecure")
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
	case s.NArg() == 0:
		return usageError(errors.New("no control file given"), usageLine)
	case s.NArg() > 1:
		return usageError(fmt.Errorf("one control file is wanted, %d were given", s.NArg()), usageLine)
	}
	o.control = s.Arg(0)
	if o.resolve && !isURL(o.control) {
		return usageError(errors.New("-r wants a URL"), "")
	}
	if o.referer != "" && !isURL(o.referer) {
		return usageError(fmt.Errorf("-u %q is no URL", o.referer), "it begins with http:// or https://")
	}
	return nil
}

// isURL says whether arg is to be fetched: everything else is a path.
func isURL(arg string) bool {
	u, err := url.Parse(arg)
	if err != nil {
		// An odd URL is still none that names a file.
		lower := strings.ToLower(arg)
		return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
	}
	return u.Host != "" && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https"))
}

func printHelp(w io.Writer) {
	fmt.Fprintf(w, `%s

Downloads the file that a control file (.zsync) describes into the current
directory, and of it only what no local file has. Blocks come from NAME.part,
which an interrupted run left, from the seeds given with -i, and from the file
NAME itself; the rest comes from the URLs in the control file. NAME is replaced
when the whole file was verified; the old one is then NAME.zs-old.

Options:
%s
Exit codes:
    0  success (with -j: the file is up to date)
    1  the control file cannot be used (with -j: the file has changed)
    2  the file cannot be written, or is not what the control file describes
    3  wrong usage, or the data cannot be fetched
  130  interrupted; what was fetched is in NAME.part
`, usageLine, new(options).flags().FlagUsages())
}
