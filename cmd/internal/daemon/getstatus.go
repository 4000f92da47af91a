package daemon

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// GetStatus is one get under way. Sizes are bytes.
type GetStatus struct {
	Source string    `json:"source"` // URL of the control file
	Since  time.Time `json:"since"`
	// Step is "waiting" for another get of the same source, "asking" for the
	// control file, "checking", "scanning", "fetching", "verifying", or "exporting"
	// while the client makes its file.
	Step      string `json:"step"`
	Done      int64  `json:"done"`       // of Total
	Total     int64  `json:"total"`      // that the step has to do; 0: unknown, or nothing
	Known     int64  `json:"known"`      // bytes of the target that are here
	Length    int64  `json:"length"`     // of the target; 0 before its control file is here
	LimitRate int64  `json:"limit_rate"` // bytes/s; 0: none
}

// The steps of a get beside those of a download.
const (
	stepWaiting   = "waiting"
	stepAsking    = "asking"
	stepExporting = "exporting"
)

// oneGet is one call of Daemon.Get.
type oneGet struct {
	source string // without what may be secret
	since  time.Time
	limit  int64
	step   atomic.Pointer[string] // one of those above; nil: that of the snapshot
	ask    atomic.Pointer[func() download.Progress]
}

func newOneGet(spec GetSpec) *oneGet {
	g := &oneGet{since: time.Now(), limit: spec.LimitRate}
	if u, err := access.ParseURL(spec.Source); err == nil {
		g.source = zsyncclient.Redact(u)
	}
	g.enter(stepWaiting)
	return g
}

func (g *oneGet) enter(step string) { g.step.Store(&step) }

// watch is w, which g hears too.
func (g *oneGet) watch(w GetWatch) GetWatch {
	tell := w.Progress
	w.Progress = func(ask func() download.Progress) {
		g.ask.Store(&ask)
		g.step.Store(nil)
		tell(ask)
	}
	return w
}

func (g *oneGet) status() GetStatus {
	s := GetStatus{Source: g.source, Since: g.since, LimitRate: g.limit}
	step := g.step.Load()
	if ask := g.ask.Load(); ask != nil {
		p := (*ask)()
		s.Known, s.Length = p.Known, p.Length
		if step == nil {
			s.Step, s.Done, s.Total = p.Step.Kind.String(), p.Done, p.Step.Total
		}
	}
	if step != nil {
		s.Step = *step
	}
	return s
}

// getStatus are the gets under way, the oldest first.
func (d *Daemon) getStatus() []GetStatus {
	d.mu.Lock()
	all := make([]*oneGet, 0, len(d.running))
	for g := range d.running {
		all = append(all, g)
	}
	d.mu.Unlock()
	out := []GetStatus{}
	for _, g := range all {
		out = append(out, g.status())
	}
	slices.SortFunc(out, func(a, b GetStatus) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Source, b.Source))
	})
	return out
}
