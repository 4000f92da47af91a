package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/zsyncfs/zsyncfs/cmd/internal/cpuprofile"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
	"github.com/zsyncfs/zsyncfs/cmd/internal/terminal"
	zversion "github.com/zsyncfs/zsyncfs/cmd/internal/version"
	"github.com/zsyncfs/zsyncfs/format"
)

// version is stamped by the linker (-X main.version=...) in builds of
// scripts/build.
var version = ""

// garbagePercent lets garbage be four times what is in use, which are a few MiB: to
// collect it more often took a seventh of the time of -z.
const garbagePercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit code.
func run(args []string, stdin, stdout, stderr *os.File) int {
	o, err := parse(args)
	switch {
	case err != nil:
		return program.Report(stderr, err)
	case o.help:
		return program.Report(stderr, printed(io.WriteString(stdout, helpText)))
	case o.version:
		return program.Report(stderr, printed(fmt.Fprintf(stdout,
			"zsyncmake %s of zsyncfs\nWrites control files as zsync v%s reads them.\n", zversion.String(version), format.WriterVersion)))
	}
	jobs, err := o.jobs(terminal.Is(stdin), terminal.Is(stdout))
	if err != nil {
		return program.Report(stderr, err)
	}

	ctx, caught := signals.Catch(context.Background())
	defer caught.Close()
	defer cpuprofile.Start(stderr)()
	m := &maker{
		options: o,
		stdin:   stdin,
		stdout:  stdout,
		console: newConsole(stderr, terminal.Is(stderr), jobs),
	}
	if len(jobs) == 1 {
		// A stream takes bytes when its reader likes, and there is nothing to
		// clean up any more: a signal may kill.
		m.beforeStream = caught.Release
	}
	err = m.makeAll(ctx, jobs)
	m.console.close()
	return program.Report(stderr, signals.Explain(ctx, err))
}

func printed(_ int, err error) error { return err }
