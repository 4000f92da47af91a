package progress

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/schollz/progressbar/v3"

	"github.com/zsyncfs/zsyncfs/cmd/internal/terminal"
)

// Task is a bar for work that is measured in bytes and whose amount may still grow. It is
// shown on a terminal, and nowhere else. nil shows nothing. Safe for concurrent use.
type Task struct {
	out io.Writer

	mu    sync.Mutex
	bar   *progressbar.ProgressBar // guarded by mu
	total int64                    // guarded by mu
	done  int64                    // guarded by mu
}

// NewTask is a bar on out with a few words before it; nil when out is no terminal.
func NewTask(out io.Writer, words string) *Task {
	if f, ok := out.(*os.File); !ok || !terminal.Is(f) {
		return nil
	}
	return newTask(out, words)
}

func newTask(out io.Writer, words string) *Task {
	return &Task{out: out, bar: progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription(words),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetWidth(20),
		progressbar.OptionThrottle(barInterval),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "#", SaucerPadding: "-", BarStart: "[", BarEnd: "]"}),
	)}
}

// Grow says that n bytes more are to be done.
func (t *Task) Grow(n int64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total += n
	t.bar.ChangeMax64(max(t.total, 1))
}

// Add says that n bytes are done; the last one is not drawn, since End clears the bar.
func (t *Task) Add(n int64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done += n; t.done < t.total {
		_ = t.bar.Set64(t.done)
	}
}

// Print writes a line of text to out, beside the bar.
func (t *Task) Print(out io.Writer, line string) {
	if t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		_ = t.bar.Clear()
	}
	fmt.Fprintln(out, line)
}

// End takes the bar away.
func (t *Task) End() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.bar.Clear()
	_ = t.bar.Exit()
}
