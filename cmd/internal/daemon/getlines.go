package daemon

import (
	"encoding/json"
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

// writePatience is how long a line may wait for a client that reads nothing, as
// one that was stopped does. With what sendBuffer holds, such a client is dropped
// after some 5 s.
const writePatience = 2 * time.Second

// get answers with lines while the work goes on.
func (s *socket) get(w http.ResponseWriter, r *http.Request) {
	var spec GetSpec
	if !readRequest(w, r, &spec) {
		return
	}
	out := newGetWriter(w)
	err := s.daemon.Get(r.Context(), spec, out.watch(), func(r2 GetResult, data *os.File) error {
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
			s.daemon.answered(1)
			defer s.daemon.answered(-1)
			select { // until the client has done with it
			case <-r.Context().Done():
			case <-s.daemon.ctx.Done():
			}
		}
		return nil
	})
	out.stop()
	if err != nil && !out.answered {
		out.write(getLine{Failure: s.failure(err)})
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
	g.out.SetWriteDeadline(time.Now().Add(writePatience))
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

// write writes a line. An error is that the client hung up, or has not read for
// writePatience; both end the request's context too.
func (g *getWriter) write(line getLine) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out.SetWriteDeadline(time.Now().Add(writePatience))
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
