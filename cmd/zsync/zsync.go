package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/progress"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
	buildversion "github.com/zsyncfs/zsyncfs/cmd/internal/version"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// command is one run of zsync.
type command struct {
	options
	stdout, stderr io.Writer
	typed          *url.URL // what was asked for, or -u; nil when that is unknown
	client         *zsyncclient.Client
	printer        *progress.Printer
	scanned        bool // a seed was
}

// zsync carries out one command line.
func zsync(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c := &command{stdout: stdout, stderr: stderr}
	if err := c.parse(args); err != nil {
		return err
	}
	switch {
	case c.version:
		fmt.Fprintf(stdout, "zsync %s (zsyncfs)\n", buildversion.String(version))
		return nil
	case c.help:
		_, err := io.WriteString(stdout, helpText)
		return err
	}
	if err := c.connect(ctx); err != nil {
		return err
	}
	defer c.client.Close()
	if c.resolve {
		return c.resolveRedirection(ctx)
	}
	ctl, err := c.loadControl(ctx)
	if err != nil {
		return c.unloaded(err)
	}
	for _, w := range ctl.Header.Warnings {
		c.say("zsync: warning: %s", report.Printable(w))
	}
	return c.get(ctx, ctl)
}

// unloaded gives err, for which there is no control file, a code: what is wrong in
// a control file has one of its own.
func (c *command) unloaded(err error) error {
	code, _ := program.Translate(err)
	if code == exitControl && access.IsURL(c.control) &&
		!report.As[*format.ParseError](err) && !report.As[*format.ShortError](err) {
		return report.WithCode(exitFetch, err)
	}
	return err
}

// connect makes the client.
func (c *command) connect(ctx context.Context) (err error) {
	switch {
	case access.IsURL(c.control):
		c.typed, err = access.ParseURL(c.control)
	case c.referer != "":
		c.typed, err = access.ParseURL(c.referer)
	}
	if err != nil {
		return usageError(err, "")
	}
	origins, mirrors, err := c.origins(c.typed)
	if err != nil {
		return err
	}
	header, err := access.ParseHeader(c.header)
	if err != nil {
		return usageError(err, "")
	}
	o := zsyncclient.Options{
		Origins: origins,
		Mirrors: mirrors,
		// Who gives a control file as a file has it from somewhere he trusts.
		AllowPrivate: c.allowPrivate || !access.IsURL(c.control),
		Header:       header,
		Netrc:        c.netrcPath(),
		CACert:       c.caCert,
		Insecure:     c.insecure,
		LimitRate:    int64(c.limitRate),
		UserAgent:    "zsync/" + buildversion.String(version),
		Warn:         c.warn,
	}
	c.client, err = signals.Await(ctx, func() (*zsyncclient.Client, error) { return zsyncclient.New(o) })
	if err != nil {
		return report.WithCode(exitFile, err)
	}
	return nil
}

// say prints a line for people, unless they want quiet.
func (c *command) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	switch {
	case c.quiet:
	case c.printer != nil:
		c.printer.Print(c.stderr, line)
	default:
		fmt.Fprintln(c.stderr, line)
	}
}

// warn prints what went wrong and did not end the run.
func (c *command) warn(err error) {
	var other *download.NotPackedError
	if errors.As(err, &other) && c.quiet { // not the file that a script looks for
		fmt.Fprintf(c.stderr, "zsync: warning: %s\n", report.Printable(err.Error()))
		return
	}
	c.say("zsync: warning: %s", report.Printable(err.Error()))
}

// target is the path of the file to be made.
func (o *options) target(ctl *zsyncclient.Control) string {
	if o.output != "" {
		return o.output
	}
	if packed := download.PackedName(ctl.Header, o.location(ctl)); packed != "" {
		return packed
	}
	return download.TargetName(ctl.Header, o.location(ctl))
}

// plainTarget is the path of the content of a gzip file that is to be made and
// cannot; "" when the target is none.
func (o *options) plainTarget(ctl *zsyncclient.Control) string {
	packed := download.PackedName(ctl.Header, o.location(ctl))
	switch {
	case packed == "":
		return ""
	case o.output == "":
		return download.TargetName(ctl.Header, o.location(ctl))
	}
	plain, ok := strings.CutSuffix(o.output, ".gz")
	if !ok || plain == "" {
		plain = o.output + ".uncompressed"
	}
	return plain
}

// location is where the control file came from.
func (o *options) location(ctl *zsyncclient.Control) string {
	if ctl.URL != nil && access.IsURL(o.control) {
		return ctl.URL.String()
	}
	return o.control
}

// explainTarget says where the target goes when that is not what its control file
// says.
func (c *command) explainTarget(ctl *zsyncclient.Control) {
	if c.output != "" {
		return
	}
	name := c.target(ctl)
	if c.plainTarget(ctl) != "" {
		return
	}
	if f := ctl.Header.Filename; f != "" && f != name {
		c.say("zsync: warning: the control file names the file %s, which does not fit where it came from: making %s (-o names another)",
			report.Printable(f), report.Printable(name))
	}
}

// get makes the target, or does what -j and -n ask for.
func (c *command) get(ctx context.Context, ctl *zsyncclient.Control) (err error) {
	mode := c.options.progress
	if c.quiet {
		mode = progress.None
	}
	out := c.stderr
	if mode == progress.JSON {
		out = c.stdout
	}
	c.explainTarget(ctl)
	c.printer = progress.New(out, mode)
	var d *download.Download
	f := &failing{stats: c.client.Stats, progress: func() download.Progress { return d.Progress() }}
	d, err = download.New(download.Options{
		Header: ctl.Header, Records: ctl.Records, Path: c.target(ctl), Seeds: c.seeds,
		Source:       c.client.NewSource(ctl, access.ParseURLs(c.mirrors)),
		Packed:       c.plainTarget(ctl) != "",
		PlainPath:    c.plainTarget(ctl),
		FailingSince: f.since,
		Force:        c.force,
		Step:         func(s download.Step) { c.step(s, d) },
		Warn:         c.warn,
	})
	if err != nil {
		return report.WithCode(exitControl, err)
	}
	c.printer.Watch(d.Progress)
	defer c.printer.Stop()
	switch {
	case c.check:
		return c.checkForChanges(ctx, d)
	case c.dryRun:
		return c.plan(ctx, d)
	}
	r, err := d.Run(ctx)
	c.printer.Stop()
	if err != nil {
		return c.failed(err, r)
	}
	c.succeeded(r)
	return nil
}

// step is told of each step of d before it begins.
func (c *command) step(s download.Step, d *download.Download) {
	switch s.Kind {
	case download.Scanning:
		c.scanned = true
	case download.Fetching:
		if c.scanned && d.Progress().Known == 0 {
			c.warn(errors.New("nothing of the file was found in the seeds, so all of it is downloaded"))
		}
	}
	c.printer.Step(s)
}

// failed adds to err what is left for the next run.
func (c *command) failed(err error, r download.Result) error {
	_, hint := program.Translate(err)
	var wrong *download.VerifyError
	err = report.WithCode(exitFile, err) // whatever it was that kept the file from being made
	if r.Part != "" && !errors.As(err, &wrong) {
		if hint != "" {
			hint += "; "
		}
		hint += "run zsync again to go on: what is here is kept in " + r.Part
	}
	if hint == "" {
		return err
	}
	return report.WithHint(err, "%s", hint)
}

// succeeded says how it went.
func (c *command) succeeded(r download.Result) {
	if c.quiet {
		return
	}
	if c.options.progress == progress.JSON {
		printJSON(c.stdout, resultLine{Step: "done", Local: r.Local, Fetched: r.Fetched,
			UpToDate: r.UpToDate, Verified: !r.Unverified, Old: r.Old})
		return
	}
	switch {
	case r.Unverified:
		c.say("zsync: warning: the control file has no digest of the whole file; each block matched its own checksum")
	default:
		fmt.Fprintln(c.stdout, "verifying download...checksum matches OK")
	}
	if r.UpToDate {
		c.say("the file is up to date")
	}
	if r.Old != "" && c.verbose {
		c.say("the old file is now %s", report.Printable(r.Old))
	}
	fmt.Fprintf(c.stdout, "used %d local, fetched %d\n", r.Local, r.Fetched)
}

// plan is -n.
func (c *command) plan(ctx context.Context, d *download.Download) error {
	r, err := d.Plan(ctx)
	c.printer.Stop()
	if err != nil {
		return err
	}
	if c.options.progress == progress.JSON {
		printJSON(c.stdout, planLine{Step: "planned", Local: r.Local, Missing: r.Missing, Runs: r.MissingRuns, UpToDate: r.UpToDate})
		return nil
	}
	fmt.Fprintf(c.stdout, "would use %d local, fetch %d in %s\n", r.Local, r.Missing, english.Plural(int(r.MissingRuns), "run", ""))
	return nil
}

// checkForChanges is -j.
func (c *command) checkForChanges(ctx context.Context, d *download.Download) error {
	current, err := d.Current(ctx)
	c.printer.Stop()
	switch {
	case err != nil:
		return report.WithCode(exitFetch, err)
	case !current:
		c.say("%v: run zsync without -j to update it", errChanged)
		return errChanged
	}
	c.say("the file is up to date")
	return nil
}

// resolveRedirection is -r.
func (c *command) resolveRedirection(ctx context.Context) error {
	ctl, err := c.client.FetchControl(ctx, c.typed, zsyncclient.Validators{}, 0)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, ctl.Final.String())
	return nil
}
