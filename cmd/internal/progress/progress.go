package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/terminal"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// Mode is how progress is shown.
type Mode int

// The modes.
const (
	// Auto is Bar on a terminal and Lines elsewhere.
	Auto Mode = iota
	// Bar redraws one line for each step.
	Bar
	// Lines writes one line for each step, without control characters.
	Lines
	// JSON writes an object a line.
	JSON
	// None writes nothing.
	None
)

var modeNames = map[string]Mode{"auto": Auto, "bar": Bar, "lines": Lines, "json": JSON, "none": None}

// Set, String and Type make a Mode a flag's value.
func (m *Mode) Set(s string) error {
	mode, ok := modeNames[s]
	if !ok {
		return fmt.Errorf("%q is none of auto, bar, lines, json, none", s)
	}
	*m = mode
	return nil
}

// String is the mode's name.
func (m *Mode) String() string {
	for name, mode := range modeNames {
		if mode == *m {
			return name
		}
	}
	return ""
}

// Type is the placeholder in help texts.
func (m *Mode) Type() string { return "MODE" }

// Interval between two updates.
const (
	barInterval  = 100 * time.Millisecond
	jsonInterval = 500 * time.Millisecond
)

// display is one way to show progress; its methods are called one at a time.
type display interface {
	begin(p download.Progress)
	update(p download.Progress, rate float64)
	end(p download.Progress)
	// clear makes room for a line of text.
	clear()
}

// Printer shows the progress of one download.
type Printer struct {
	interval time.Duration
	stop     chan struct{}
	wg       sync.WaitGroup
	once     sync.Once

	mu       sync.Mutex
	show     display                  // guarded by mu, like the rest
	snapshot func() download.Progress // nil until Watch
	running  bool                     // a step was begun
	current  download.Step
	since    time.Time
}

// New makes a Printer that writes to out.
func New(out io.Writer, mode Mode) *Printer {
	if mode == Auto {
		mode = Lines
		if f, ok := out.(*os.File); ok && terminal.Is(f) {
			mode = Bar
		}
	}
	p := &Printer{stop: make(chan struct{})}
	switch mode {
	case Bar:
		p.show, p.interval = &bar{out: out}, barInterval
	case JSON:
		p.show, p.interval = &jsonLines{out: out}, jsonInterval
	case Lines:
		p.show = &lines{out: out}
	}
	return p
}

// Watch starts updates from snapshot, which must be safe for concurrent use.
func (p *Printer) Watch(snapshot func() download.Progress) {
	p.mu.Lock()
	p.snapshot = snapshot
	p.mu.Unlock()
	if p.show == nil || p.interval == 0 {
		return
	}
	p.wg.Go(func() {
		tick := time.NewTicker(p.interval)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.update(snapshot())
			}
		}
	})
}

func (p *Printer) update(now download.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running || now.Step != p.current { // it is just beginning
		return
	}
	rate := 0.0
	if took := time.Since(p.since).Seconds(); took > 0.2 {
		rate = float64(now.Done) / took
	}
	p.show.update(now, rate)
}

// Step is for download.Options.Step: the step s is about to begin.
func (p *Printer) Step(s download.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.show == nil {
		return
	}
	p.endStep()
	var now download.Progress
	if p.snapshot != nil {
		now = p.snapshot() // of the step before
	}
	now.Step, now.Done = s, 0
	p.running, p.current, p.since = true, s, time.Now()
	p.show.begin(now)
}

// Print writes a line of text to out, beside the progress if that goes to the
// same terminal.
func (p *Printer) Print(out io.Writer, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running && p.show != nil {
		p.show.clear()
	}
	fmt.Fprintln(out, line)
}

// endStep completes the step under way; p.mu is held.
func (p *Printer) endStep() {
	if p.running && p.snapshot != nil {
		p.show.end(p.snapshot())
	}
	p.running = false
}

// Stop ends the step under way and the updates. Calling it again does nothing.
func (p *Printer) Stop() {
	p.once.Do(func() { close(p.stop) })
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endStep()
}

// words say what a step does.
func words(s download.Step) string {
	name := report.Printable(s.Name)
	switch s.Kind {
	case download.Checking:
		return "checking " + name
	case download.Resuming:
		return "reading " + name
	case download.Scanning:
		return "reading seed file " + name
	case download.Fetching:
		return "downloading from " + name
	case download.Compressing:
		return "compressing " + name
	}
	return "verifying download"
}
