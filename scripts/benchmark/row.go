package main

import (
	"errors"
	"fmt"
)

// row is one thing that is measured for each of its tools.
type row struct {
	name    string // what --only selects by
	title   string
	tools   []*tool // this project's own first; limits last
	files   []string
	needs   []*tool // programs without which the row is left out
	once    bool    // measured once however often the others are: it takes long, and says the same again
	often   int     // measured so many times as often as the others, since one differs from the next by more than there is to the goal; 0: as often
	metrics []metric
	sized   func(z sizes) []metric // the metrics of a run, where their words depend on its sizes
	measure measure
	// bound says what a goal about time is held against where it is out of reach, and
	// what then stands in the way. It is printed with a profile when one is missed.
	bound string
}

// missing says why a row cannot be measured; "" when it can.
func (b *bench) missing(r row) string {
	for _, t := range r.needs {
		if _, err := b.path(t); err != nil {
			return err.Error()
		}
	}
	for _, f := range r.files {
		if err := b.failed[f]; errors.Is(err, errUnavailable) {
			return err.Error()
		}
	}
	return ""
}

// measure is one measurement: a row, for one tool, once. What it starts it puts
// on b's resources; the caller releases it.
type measure func(b *bench, t *tool, repetition int) (sample, error)

// sample has the numbers of a measurement, by key of their metric. A number that
// the tool has not is left out.
type sample map[string]float64

// metric is one number of a row.
type metric struct {
	key   string
	title string
	unit  string
	lower bool // less is better
	timed bool // the goal is about how long something takes, or how much is done in a time
	goal  *goal
	of    *tool // whose number it is, when not the first's of the row; for profiles
}

// goal is what this project's program must reach.
type goal struct {
	kind  goalKind
	value float64
}

type goalKind int

const (
	most     goalKind = iota // a number of at most value
	least                    // a number of at least value
	times                    // value times as good as each peer in the same run
	share                    // at most value times the number of each peer in the same run
	ofLimits                 // value times as good as each limit in the same run
)

func atMost(v float64) *goal    { return &goal{most, v} }
func atLeast(v float64) *goal   { return &goal{least, v} }
func timesPeer(v float64) *goal { return &goal{times, v} }

// atMostOfPeer is the goal of a number, of which less is better, to be at most v
// times each peer's.
func atMostOfPeer(v float64) *goal { return &goal{share, v} }

// ofLimit is the goal to be v times as good as each limit in the same run.
func ofLimit(v float64) *goal { return &goal{ofLimits, v} }

// noWorse is the goal to be as good as each peer.
func noWorse() *goal { return timesPeer(1) }

// reached says whether own is good enough, beside the numbers of the peers and of the
// limits. Without these nothing is compared.
func (m metric) reached(own float64, peers, limits []float64) bool {
	switch m.goal.kind {
	case most:
		return own <= m.goal.value
	case least:
		return own >= m.goal.value
	case ofLimits:
		peers = limits
	}
	for _, peer := range peers {
		if m.goal.kind == share {
			if own > m.goal.value*peer {
				return false
			}
			continue
		}
		if m.lower && own*m.goal.value > peer || !m.lower && own < peer*m.goal.value {
			return false
		}
	}
	return true
}

// goalText says what the goal is; "" when there is none.
func (m metric) goalText() string {
	switch g := m.goal; {
	case g == nil:
		return ""
	case g.kind == times && g.value == 1 && m.lower:
		return "<= peer"
	case g.kind == times && g.value == 1:
		return ">= peer"
	case g.kind == most:
		return fmt.Sprintf("<= %v", g.value)
	case g.kind == least:
		return fmt.Sprintf(">= %v", g.value)
	case g.kind == ofLimits:
		return fmt.Sprintf("%vx limit", g.value)
	case g.kind == share:
		return fmt.Sprintf("<= %vx peer's", g.value)
	default:
		return fmt.Sprintf("%vx peer", g.value)
	}
}

// ratio says how many times as good a is as b by this metric: 1 is equal, more
// is better. ok is false when one of them is zero.
func (m metric) ratio(a, b float64) (r float64, ok bool) {
	if m.lower {
		a, b = b, a
	}
	if a == 0 || b == 0 {
		return 0, false
	}
	return a / b, true
}
