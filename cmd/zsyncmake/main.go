package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/zsyncfs/zsyncfs/cmd/internal/terminal"
	zversion "github.com/zsyncfs/zsyncfs/cmd/internal/version"
	"github.com/zsyncfs/zsyncfs/format"
)

// version is stamped by the linker (-X main.version=...) in builds of
// scripts/build.
var version = ""

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// signalError is the cause that a signal cancels the context with.
type signalError struct{ signal os.Signal }

func (e signalError) Error() string { return fmt.Sprintf("ended by a signal: %v", e.signal) }

// exitCode is that which a shell shows for a program that the signal killed.
func (e signalError) exitCode() int {
	if number, ok := e.signal.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return 130
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

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals) // a second one kills
			cancel(signalError{s})
		case <-ctx.Done():
		}
	}()

	m := &maker{
		options: o,
		stdin:   stdin,
		stdout:  stdout,
		console: newConsole(stderr, terminal.Is(stderr), jobs),
	}
	if len(jobs) == 1 {
		// A stream takes bytes when its reader likes, and there is nothing to
		// clean up any more: a signal may kill.
		m.beforeStream = func() { signal.Stop(signals) }
	}
	err = m.makeAll(ctx, jobs)
	m.console.close()
	if ended, ok := context.Cause(ctx).(signalError); ok {
		program.Report(stderr, ended)
		return ended.exitCode()
	}
	return program.Report(stderr, err)
}

func printed(_ int, err error) error { return err }
