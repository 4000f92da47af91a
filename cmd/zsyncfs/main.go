// Command zsyncfs mounts remote directories of zsync control files, makes and
// serves such directories, and downloads single files through the block store of
// its mounts.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit code. The first SIGINT
// or SIGTERM cancels the command's context; the second one kills, because a
// user who presses Ctrl-C twice means it.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return program.Report(stderr, root.ExecuteContext(ctx))
}
