package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
)

// Handler writes records as lines of text on w. Where w is a file that leads to the
// journal of systemd, each has its priority at its start, and no time and no level:
// the journal has those.
func Handler(w io.Writer, o *slog.HandlerOptions) slog.Handler {
	if f, ok := w.(*os.File); ok && isJournal(f) {
		return newJournal(w, o)
	}
	return slog.NewTextHandler(w, o)
}

// isJournal says whether f is the stream that systemd connected with the journal.
func isJournal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// journal is a handler for the journal. Safe for concurrent use.
type journal struct {
	text slog.Handler // writes to line

	shared *journalLine
}

// journalLine is what the handlers that were made of one share.
type journalLine struct {
	mu   sync.Mutex
	line bytes.Buffer // guarded by mu
	out  io.Writer    // guarded by mu
}

func newJournal(out io.Writer, o *slog.HandlerOptions) *journal {
	var without slog.HandlerOptions
	if o != nil {
		without = *o
	}
	inner := without.ReplaceAttr
	without.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		if inner != nil {
			return inner(groups, a)
		}
		return a
	}
	shared := &journalLine{out: out}
	return &journal{text: slog.NewTextHandler(&shared.line, &without), shared: shared}
}

func (j *journal) Enabled(ctx context.Context, l slog.Level) bool { return j.text.Enabled(ctx, l) }

func (j *journal) WithAttrs(a []slog.Attr) slog.Handler {
	return &journal{text: j.text.WithAttrs(a), shared: j.shared}
}

func (j *journal) WithGroup(name string) slog.Handler {
	return &journal{text: j.text.WithGroup(name), shared: j.shared}
}

func (j *journal) Handle(ctx context.Context, r slog.Record) error {
	j.shared.mu.Lock()
	defer j.shared.mu.Unlock()
	line := &j.shared.line
	line.Reset()
	fmt.Fprintf(line, "<%d>", priority(r.Level))
	if err := j.text.Handle(ctx, r); err != nil {
		return err
	}
	_, err := j.shared.out.Write(line.Bytes())
	return err
}

// priority is what syslog(3) calls a level.
func priority(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}
