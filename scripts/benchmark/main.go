package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// flags are the command line. scripts/bench gives work, bin and the scripts.
type flags struct {
	work         string // folder for everything of this run; removed at the end
	bin          string // folder of this project's programs, as far as they are built
	corpus       string // folder of the corpus; "": where its script puts it
	corpusScript string // the program that makes it
	imagesScript string // the program that makes the images of a Debian
	json         string // path of the JSON report
	only         string // names of rows begin with this
	groups       []string
	short        bool
	list         bool
	repeat       int
}

// errGoal says that everything was measured and this project missed a goal, or failed.
var errGoal = errors.New("a goal was missed")

func main() {
	if len(os.Args) == 5 && (os.Args[1] == bareAnswers || os.Args[1] == bareShows) {
		if err := serveBare(os.Args[2], os.Args[3], os.Args[4], os.Args[1] == bareShows); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	f, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, pflag.ErrHelp):
		err = nil
	case err == nil && f.list:
		for _, r := range selectRows(f.only, f.groups...) {
			fmt.Printf("%-28s %s\n", r.name, r.title)
		}
	case err == nil:
		err = run(f)
	}
	if f.work != "" {
		_ = os.RemoveAll(f.work)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (flags, error) {
	var f flags
	set := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	set.StringVar(&f.only, "only", "", "measure the rows whose names begin with `PREFIX`")
	set.BoolVar(&f.short, "short", false, "small files and few reads: shows that it works, not how fast; goals about time do not count")
	set.IntVar(&f.repeat, "repeat", 3, "measure everything `N` times")
	set.StringVar(&f.json, "json", "", "write the figures to `FILE` ")
	set.StringVar(&f.corpus, "corpus", "", "use the corpus in `DIR`; made there when it is not (default: where scripts/corpus puts it)")
	set.BoolVar(&f.list, "list", false, "list the rows and end")
	set.StringVar(&f.work, "work", "", "")
	set.StringVar(&f.bin, "bin", "", "")
	set.StringVar(&f.corpusScript, "corpus-script", "", "")
	set.StringVar(&f.imagesScript, "images-script", "", "")
	for _, name := range []string{"work", "bin", "corpus-script", "images-script"} {
		_ = set.MarkHidden(name)
	}
	set.Usage = func() {
		fmt.Printf("Usage: scripts/bench [flags] [ROW or GROUP]...\n\n"+
			"A group is what the names of rows have before a dot.\n\n%s", set.FlagUsages())
	}
	if err := set.Parse(args); err != nil {
		return f, err
	}
	f.groups = set.Args()
	for _, group := range f.groups {
		if len(selectRows("", group)) == 0 {
			return f, fmt.Errorf("there is no row or group %q (see --list)", group)
		}
	}
	switch {
	case f.repeat < 1:
		return f, fmt.Errorf("--repeat must be at least 1")
	case f.work == "" || f.bin == "":
		return f, fmt.Errorf("run it as scripts/bench")
	}
	return f, nil
}

// run measures what f asks for, prints it, and leaves nothing behind but the
// report and, for its caller, f.work. After a signal it does not return.
func run(f flags) error {
	chosen := selectRows(f.only, f.groups...)
	if len(chosen) == 0 {
		return fmt.Errorf("no row has that name (see --list)")
	}
	res := newResources()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	endOnSignal(res, cancel, f.work)
	err := runRows(ctx, f, res, chosen)
	if ctx.Err() != nil {
		res.park()
	}
	res.releaseTo(0)
	return err
}

func runRows(ctx context.Context, f flags, res *resources, chosen []row) error {
	b, err := newBench(ctx, f, res)
	if err != nil {
		return err
	}
	report, err := b.measureAll(chosen)
	if err != nil {
		return err
	}
	if err := report.save(f.json); err != nil {
		return err
	}
	fmt.Printf("\nfigures: %s\n", f.json)
	text, err := report.verdict()
	fmt.Print(text)
	return err
}

// endOnSignal releases everything, removes work and ends the process on SIGINT,
// SIGTERM or SIGHUP.
func endOnSignal(res *resources, cancel context.CancelFunc, work string) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s := <-signals
		fmt.Fprintf(os.Stderr, "\nbench: %v: cleaning up\n", s)
		cancel()
		res.close()
		_ = os.RemoveAll(work)
		os.Exit(128 + int(s.(syscall.Signal)))
	}()
}
