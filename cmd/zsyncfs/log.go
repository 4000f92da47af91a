package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
)

const logLong = `Shows the messages of the daemon in the background: what was mounted and unmounted,
what failed and why. It also works when no daemon runs any more. One that was started
with -f has its messages on standard error, or, as a service, in the journal
(journalctl -u 'zsyncfs*').`

// logPause is how often a followed log is looked at.
const logPause = 200 * time.Millisecond

func newLogCommand() *cobra.Command {
	var cacheDir string
	var lines int
	var follow bool
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show the messages of the daemon",
		Long:  logLong,
		Example: `  zsyncfs log
  zsyncfs log -n 1000 | grep level=ERROR
  zsyncfs log --follow`,
		Annotations: map[string]string{lookOnly: ""},
		Args:        wantArgs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := storeDir(cacheDir)
			if err != nil {
				return err
			}
			if lines < 0 {
				return usageErrorf("--lines must not be less than 0")
			}
			return showLog(cmd.Context(), cmd.OutOrStdout(), daemon.LogPath(store), lines, follow)
		},
	}
	cmd.Flags().StringVar(&cacheDir, "cache-dir", "", cacheDirHelp)
	cmd.Flags().IntVarP(&lines, "lines", "n", 50, "show the last `N` lines")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with those that come, until Ctrl-C")
	return cmd
}

func showLog(ctx context.Context, w io.Writer, path string, lines int, follow bool) error {
	f, err := blockstore.OpenFile(path, os.O_RDONLY)
	switch {
	case errors.Is(err, os.ErrNotExist) && follow:
		return followLog(ctx, w, path, nil)
	case errors.Is(err, os.ErrNotExist):
		return withHint(withCode(exitNoDaemon, fmt.Errorf("no daemon in the background has written %s", path)),
			"one that was started with -f has its messages on standard error, or in the journal")
	case err != nil:
		return err
	}
	if err := printLast(w, path, f, lines); err != nil || !follow {
		f.Close()
		return err
	}
	return followLog(ctx, w, path, f)
}

// printLast prints the last lines of f, which is at path, and of the file before it.
// f is then at its end.
func printLast(w io.Writer, path string, f *os.File, lines int) error {
	text, err := io.ReadAll(io.LimitReader(f, daemon.LogLimit))
	if err != nil {
		return err
	}
	if bytes.Count(text, []byte("\n")) < lines {
		if before, err := blockstore.ReadFile(path+".1", daemon.LogLimit); err == nil {
			text = append(before, text...)
		}
	}
	all := strings.SplitAfter(string(text), "\n")
	if last := len(all) - 1; all[last] == "" {
		all = all[:last]
	}
	for _, l := range all[max(len(all)-lines, 0):] {
		if err := printLog(w, l); err != nil {
			return err
		}
	}
	return nil
}

// printLog prints a line of a log, which begins with spaces in a trace of Go's.
func printLog(w io.Writer, line string) error {
	text := strings.TrimLeft(line, " \t")
	_, err := fmt.Fprintln(w, strings.Repeat(" ", len(line)-len(text))+printable(text))
	return err
}

// followLog prints what comes, also when the daemon goes on in another file. f is the file
// at path, which it closes; nil: there is none yet.
func followLog(ctx context.Context, w io.Writer, path string, f *os.File) error {
	l := newTail(f)
	defer func() { l.file.Close() }()
	for {
		if err := l.print(w); err != nil {
			return err
		}
		if next := newerLog(path, l.file); next != nil {
			// What the daemon wrote before it went on elsewhere is read first.
			if err := l.print(w); err != nil {
				next.Close()
				return err
			}
			l.file.Close()
			l = newTail(next)
			continue
		}
		select {
		case <-ctx.Done():
			return nil // that is how it is meant to end
		case <-time.After(logPause):
		}
	}
}

// tail is a log that is followed.
type tail struct {
	file *os.File      // nil: there is none yet
	text *bufio.Reader // of file
	part string        // of a line, whose end has not come
}

func newTail(f *os.File) *tail { return &tail{file: f, text: bufio.NewReader(f)} }

// print prints the lines that have come.
func (l *tail) print(w io.Writer) error {
	for l.file != nil {
		text, err := l.text.ReadString('\n')
		l.part += text
		if err != nil {
			break // its end, for now
		}
		if err := printLog(w, l.part); err != nil {
			return err
		}
		l.part = ""
	}
	return nil
}

// newerLog is the file at path when it is another one than f, or f was cut short.
func newerLog(path string, f *os.File) *os.File {
	now, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if f != nil {
		was, err := f.Stat()
		at, aerr := f.Seek(0, io.SeekCurrent)
		if err == nil && os.SameFile(was, now) && (aerr != nil || was.Size() >= at) {
			return nil
		}
	}
	next, err := blockstore.OpenFile(path, os.O_RDONLY)
	if err != nil {
		return nil
	}
	return next
}
