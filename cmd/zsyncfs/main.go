package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/zsyncfs/zsyncfs/cmd/internal/commandline"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
)

func main() {
	os.Exit(run(commandline.Take("--user", "--header"), os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit code. The first SIGINT
// or SIGTERM cancels the command's context. Commands that end with that as they
// are asked to (serve, mount -f) succeed.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, caught := signals.Catch(context.Background())
	defer caught.Close()
	if isHelperCall(os.Args[0], args) {
		return runHelper(ctx, os.Args[0], args, stdout, stderr)
	}
	if isDaemonCall(args) {
		return program.Report(stderr, daemonProcess(ctx))
	}
	return execute(ctx, args, stdout, stderr)
}

// execute is run with a context.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, context.Canceled) { // others may be what went wrong while ending
		err = signals.Explain(ctx, err)
	}
	return program.Report(stderr, err)
}
