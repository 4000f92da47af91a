package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// getLine is one of the JSON objects that answer a get: one of its fields is
// set. Result or Failure is the last.
type getLine struct {
	Step     *download.Step     `json:"step,omitempty"`
	Progress *download.Progress `json:"progress,omitempty"`
	Warning  string             `json:"warning,omitempty"`
	Result   *getAnswer         `json:"result,omitempty"`
	Failure  *Failure           `json:"failure,omitempty"`
}

// getAnswer is a GetResult with the place of its data.
type getAnswer struct {
	GetResult
	// Data is the file with the target's bytes, below the store's folder; "" for
	// none. It stays until the client has hung up.
	Data string
}

// getInterval is how often the client hears how far a get is.
const getInterval = 200 * time.Millisecond

// Get is the function Get, with the daemon's store. It keeps the daemon from
// ending. Errors beside those: ErrEnding.
func (d *Daemon) Get(ctx context.Context, spec GetSpec, w GetWatch, use GetUse) error {
	w = w.withDefaults()
	if err := d.beginGet(); err != nil {
		return err
	}
	defer d.endGet()
	if err := d.keepOutOfMounts(&spec, w.Warn); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ctx, func() { cancel(ErrEnding) })()
	done, err := d.takeTurn(ctx, spec)
	if err != nil {
		return err
	}
	defer done()
	err = Get(ctx, d.store, spec, "zsyncfs/"+d.options.Version, w, use)
	if err != nil && d.ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrEnding, err)
	}
	return err
}

func (d *Daemon) beginGet() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending {
		return ErrEnding
	}
	d.gets++
	d.mounting.Add(1)
	return nil
}

func (d *Daemon) endGet() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gets--
	if d.served { // else its first mount is still to come
		d.settle()
	}
	d.mounting.Done()
}

// takeTurn waits until no other Get of the same source is under way: what one
// brings, the next finds. done ends the turn.
func (d *Daemon) takeTurn(ctx context.Context, spec GetSpec) (done func(), err error) {
	if spec.DryRun {
		return func() {}, nil
	}
	for {
		d.mu.Lock()
		other := d.getting[spec.Source]
		if other == nil {
			mine := make(chan struct{})
			d.getting[spec.Source] = mine
			d.mu.Unlock()
			return func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				delete(d.getting, spec.Source)
				close(mine)
			}, nil
		}
		d.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// keepOutOfMounts takes files of the daemon's own mounts off spec: a process must
// not read what it serves. The blocks of such a seed are in the store.
func (d *Daemon) keepOutOfMounts(spec *GetSpec, warn func(error)) error {
	d.mu.Lock()
	var dirs []string
	for _, m := range d.mounts {
		if m != nil {
			dirs = append(dirs, m.spec.Dir)
		}
	}
	d.mu.Unlock()
	in := func(path string) string {
		for _, dir := range dirs {
			if path != "" && within(path, dir) {
				return dir
			}
		}
		return ""
	}
	var seeds []string
	for _, s := range spec.Seeds {
		if dir := in(s); dir != "" {
			warn(fmt.Errorf("seed not used: %s lies in the mount on %s, whose blocks are in the block store", s, dir))
			continue
		}
		seeds = append(seeds, s)
	}
	spec.Seeds = seeds
	for _, path := range []string{spec.File, spec.Dir} {
		if dir := in(path); dir != "" && !spec.NoFile {
			return fmt.Errorf("%s lies in the mount on %s, which is read-only", path, dir)
		}
	}
	return nil
}

// get answers with lines while the work goes on.
func (s *socket) get(w http.ResponseWriter, r *http.Request) {
	var spec GetSpec
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&spec)
	if err != nil {
		reply(w, http.StatusBadRequest, Failure{Message: "bad request: " + err.Error(), Code: 1})
		return
	}
	io.Copy(io.Discard, r.Body) // what follows notices when the client hangs up
	out := newGetWriter(w)
	err = s.daemon.Get(r.Context(), spec, out.watch(), func(r2 GetResult, data *os.File) error {
		answer := getAnswer{GetResult: r2}
		if data != nil {
			rel, err := filepath.Rel(s.daemon.options.Store, data.Name())
			if err != nil {
				return err
			}
			answer.Data = rel
		}
		out.stop()
		out.write(getLine{Result: &answer})
		out.answered = true
		if data != nil {
			select { // until the client has opened it
			case <-r.Context().Done():
			case <-s.daemon.ctx.Done():
			}
		}
		return nil
	})
	out.stop()
	if err != nil && !out.answered {
		code, hint := s.daemon.options.Describe(err)
		out.write(getLine{Failure: &Failure{
			Message: err.Error(), Hint: hint, Code: code, Ending: errors.Is(err, ErrEnding),
		}})
	}
}

// getWriter writes lines, and how far the work is at intervals.
type getWriter struct {
	snapshot atomic.Pointer[func() download.Progress]
	answered bool // of the handler's goroutine
	ended    chan struct{}
	once     sync.Once
	ticker   sync.WaitGroup

	mu  sync.Mutex
	to  *json.Encoder            // guarded by mu
	out *http.ResponseController // guarded by mu
}

func newGetWriter(w http.ResponseWriter) *getWriter {
	w.Header().Set("Content-Type", "application/x-ndjson")
	g := &getWriter{to: json.NewEncoder(w), out: http.NewResponseController(w), ended: make(chan struct{})}
	w.WriteHeader(http.StatusOK)
	g.out.Flush()
	g.ticker.Go(func() {
		tick := time.NewTicker(getInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-g.ended:
				return
			}
			if p := g.progress(); p != nil {
				g.write(getLine{Progress: p})
			}
		}
	})
	return g
}

// stop ends the lines of progress.
func (g *getWriter) stop() {
	g.once.Do(func() { close(g.ended) })
	g.ticker.Wait()
}

func (g *getWriter) progress() *download.Progress {
	ask := g.snapshot.Load()
	if ask == nil {
		return nil
	}
	p := (*ask)()
	return &p
}

// write writes a line. An error is that the client hung up, which ends the
// request's context too.
func (g *getWriter) write(line getLine) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.to.Encode(line) == nil {
		g.out.Flush()
	}
}

func (g *getWriter) watch() GetWatch {
	return GetWatch{
		Step:     func(s download.Step) { g.write(getLine{Step: &s, Progress: g.progress()}) },
		Progress: func(ask func() download.Progress) { g.snapshot.Store(&ask) },
		Warn:     func(err error) { g.write(getLine{Warning: err.Error()}) },
	}
}

// Get asks the daemon to bring what spec names into its store, and calls use
// with it. When ctx ends, so does the work.
//
// Errors: ErrNoDaemon, also when the daemon ends before the work is done;
// *Failure as the daemon told it; those of use.
func (c *Client) Get(ctx context.Context, spec GetSpec, w GetWatch, use GetUse) error {
	w = w.withDefaults()
	encoded, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://daemon/v1/get", bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return noDaemon(ctx, err)
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	if resp.StatusCode != http.StatusOK {
		failure := new(Failure)
		if err := lines.Decode(failure); err != nil {
			return fmt.Errorf("the daemon answered %s", resp.Status)
		}
		return failure
	}
	answer, err := follow(lines, w)
	var failure *Failure
	switch {
	case errors.As(err, &failure) && failure.Ending:
		return ErrNoDaemon
	case errors.As(err, &failure):
		return err
	case err != nil:
		return noDaemon(ctx, err)
	}
	return c.useAnswer(answer, use)
}

// noDaemon is what an error of talking to a daemon means.
func noDaemon(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", ErrNoDaemon, err)
}

// follow reads lines up to the last.
func follow(lines *json.Decoder, w GetWatch) (*getAnswer, error) {
	var last atomic.Pointer[download.Progress]
	last.Store(&download.Progress{})
	w.Progress(func() download.Progress { return *last.Load() })
	for {
		var line getLine
		if err := lines.Decode(&line); err != nil {
			return nil, err
		}
		if line.Progress != nil {
			last.Store(line.Progress)
		}
		switch {
		case line.Step != nil:
			w.Step(*line.Step)
		case line.Warning != "":
			w.Warn(errors.New(line.Warning))
		case line.Failure != nil:
			return nil, line.Failure
		case line.Result != nil:
			return line.Result, nil
		}
	}
}

func (c *Client) useAnswer(answer *getAnswer, use GetUse) error {
	if answer.Data == "" {
		return use(answer.GetResult, nil)
	}
	if !filepath.IsLocal(answer.Data) {
		return fmt.Errorf("the daemon names a file outside of its store")
	}
	data, err := os.Open(filepath.Join(c.store, answer.Data))
	if err != nil {
		return fmt.Errorf("open what the daemon has: %w", err)
	}
	defer data.Close()
	return use(answer.GetResult, data)
}
