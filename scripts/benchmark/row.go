package main

import "fmt"

// row is one thing that is measured for each of its tools.
type row struct {
	name    string // what --only selects by
	title   string
	tools   []*tool // zsyncfs first; limits last
	files   []string
	needs   string // a program without which the row is left out; "": none
	metrics []metric
	measure measure
}

// missing says why the row cannot be measured; "" when it can.
func (r row) missing() string {
	if r.needs == "" {
		return ""
	}
	if _, err := find(r.needs); err != nil {
		return err.Error()
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
	goal  *goal
}

// goal is what zsyncfs must reach.
type goal struct {
	atMost bool // else: at least
	value  float64
}

func atMost(v float64) *goal  { return &goal{true, v} }
func atLeast(v float64) *goal { return &goal{false, v} }

func (g *goal) reached(v float64) bool {
	if g.atMost {
		return v <= g.value
	}
	return v >= g.value
}

func (g *goal) String() string {
	if g == nil {
		return ""
	}
	if g.atMost {
		return fmt.Sprintf("<= %v", g.value)
	}
	return fmt.Sprintf(">= %v", g.value)
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
