package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

// TestBeside: a machine that gets slower from turn to turn changes no ratio.
func TestBeside(t *testing.T) {
	for _, c := range []struct {
		own, other []float64
		want       float64
	}{
		{[]float64{9, 6, 3}, []float64{12, 8, 4}, 8},
		{[]float64{10, 1, 4}, []float64{20, 2, 4}, 8},
		{[]float64{1, 2, 3}, []float64{7, 8}, 7.5},
		{[]float64{1, 0, 3}, []float64{7, 8, 9}, 8},
	} {
		if got := beside(median(c.own), c.own, median(c.other), c.other); got != c.want {
			t.Errorf("beside(%v, %v) = %v, want %v", c.own, c.other, got, c.want)
		}
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.234: "0.23", 9.87: "9.87", 43.21: "43.2", 1457.4: "1457"} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %q, want %q", v, got, want)
		}
	}
}

// testRow is a row of which nothing is measured.
func testRow() row {
	return row{
		name: "some.row", title: "something", tools: []*tool{zsyncfs, {name: "one"}, {name: "two"}, {name: "top", limit: true}},
		metrics: []metric{
			{key: "rate", title: "rate", unit: "MB/s", timed: true, goal: atLeast(200)},
			{key: "sent", title: "sent", lower: true, goal: atMost(4)},
			{key: "other", title: "other"},
		},
	}
}

func TestJudge(t *testing.T) {
	r := testRow()
	out := new(bench).newResult(r)
	for _, s := range []sample{{"rate": 100, "sent": 2}, {"rate": 150, "sent": 3}, {"rate": 300, "sent": 9}} {
		out.Tools[0].add(s)
	}
	out.Tools[1].add(sample{"rate": 300, "sent": 6})
	out.Tools[2].add(sample{"rate": 75, "sent": 1.5})
	out.Tools[3].add(sample{"rate": 600})
	out.judge(r)
	rate, sent, other := out.Metrics[0], out.Metrics[1], out.Metrics[2]
	if !rate.Missed || sent.Missed || other.Missed {
		t.Errorf("missed: %v %v %v", rate.Missed, sent.Missed, other.Missed)
	}
	for name, c := range map[string]struct {
		got  *float64
		want float64
	}{
		"rate to peer": {rate.BestPeer, 0.5}, "rate to limit": {rate.Limit, 0.25}, "sent to peer": {sent.BestPeer, 0.5},
	} {
		if c.got == nil || math.Abs(*c.got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if sent.Limit != nil || other.BestPeer != nil {
		t.Error("a ratio of what was not measured")
	}
	rep := &report{Rows: []*result{out}}
	if got, slow := rep.missed(); strings.Join(got, ",") != "some.row (rate)" || len(slow) != 0 {
		t.Errorf("missed: %q, %q", got, slow)
	}
}

// In a short run a missed goal about time is said, and does not count.
func TestShortCountsNoTime(t *testing.T) {
	const slow = "do not count:\n  some.row (rate)\n"
	for _, c := range []struct {
		name    string
		short   bool
		own     sample
		failed  string // error of this project's program
		missing bool   // a row that is left out beside it
		text    string // what the output ends with
		err     string // what the error ends with; "": none
	}{
		{"reached", true, sample{"rate": 300, "sent": 2}, "", false, "bench: all goals reached\n", ""},
		{"time", true, sample{"rate": 100, "sent": 2}, "", false, slow + "bench: all other goals reached\n", ""},
		{"time, another left out", true, sample{"rate": 100, "sent": 2}, "", true,
			slow + "bench: no other goal was missed, but nothing was measured in: other\n", ""},
		{"time and bytes", true, sample{"rate": 100, "sent": 9}, "", false, slow, "missed:\n  some.row (sent)"},
		{"bytes", true, sample{"rate": 300, "sent": 9}, "", false, "", "missed:\n  some.row (sent)"},
		{"no time was measured", true, sample{"sent": 2}, "", false, "", "missed:\n  some.row (rate)"},
		{"failure", true, sample{"rate": 100, "sent": 2}, "it broke", false, "", "missed:\n  some.row failed"},
		{"time in a full run", false, sample{"rate": 100, "sent": 2}, "", false, "", "missed:\n  some.row (rate)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := testRow()
			b := &bench{short: c.short}
			out := b.newResult(r)
			out.own().add(c.own)
			out.own().Error = c.failed
			out.judge(r)
			rep := &report{Short: c.short, Rows: []*result{out}}
			if c.missing {
				rep.Rows = append(rep.Rows, &result{Name: "other", Skipped: "no program", Tools: []*toolResult{{Installed: true}}})
			}
			text, err := rep.verdict()
			if !strings.HasSuffix(text, c.text) || c.text == "" && text != "" {
				t.Errorf("%q, want %q", text, c.text)
			}
			if (err != nil) != (c.err != "") || err != nil && (!errors.Is(err, errGoal) || !strings.HasSuffix(err.Error(), c.err)) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if strings.Contains(rep.heading(), "--short") != c.short {
				t.Error(rep.heading())
			}
		})
	}
}

func TestTableSaysWhatIsMissing(t *testing.T) {
	r := testRow()
	out := new(bench).newResult(r)
	out.Tools[0].add(sample{"rate": 250, "sent": 1})
	out.Tools[1].Installed = false
	out.Tools[2].Error = "it broke"
	out.judge(r)
	text := out.table()
	for _, want := range []string{"some.row: something", "not installed", "failed", "two failed: it broke", ">= 200", "250"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "!") {
		t.Errorf("a goal is marked as missed:\n%s", text)
	}
}

// Goals beside peers, of numbers where less and where more is better.
func TestGoalsBesidePeers(t *testing.T) {
	for _, c := range []struct {
		lower bool
		goal  *goal
		text  string
		own   float64
		peers []float64
		want  bool
	}{
		{true, noWorse(), "<= peer", 5, []float64{5}, true},
		{true, noWorse(), "<= peer", 5, []float64{9, 4}, false},
		{true, noWorse(), "<= peer", 0, []float64{0}, true},
		{false, noWorse(), ">= peer", 4, []float64{5}, false},
		{true, timesPeer(3), "3x peer", 2, []float64{6}, true},
		{true, timesPeer(3), "3x peer", 2.1, []float64{6}, false},
		{false, timesPeer(8), "8x peer", 80, []float64{10}, true},
		{false, timesPeer(8), "8x peer", 79, []float64{10}, false},
		{false, timesPeer(8), "8x peer", 1, nil, true},
		{false, atLeast(2), ">= 2", 1, nil, false},
		{true, atMost(2), "<= 2", 2, nil, true},
		{false, ofLimit(0.5), "0.5x limit", 50, []float64{200}, true},
		{false, ofLimit(0.5), "0.5x limit", 49, nil, false},
	} {
		m := metric{lower: c.lower, goal: c.goal}
		if got := m.reached(c.own, c.peers, []float64{100}); got != c.want || m.goalText() != c.text {
			t.Errorf("%+v: %v, %q", c, got, m.goalText())
		}
	}
}

// A program that is not built yet has missed nothing, and the report says so.
func TestNotBuilt(t *testing.T) {
	r := testRow()
	r.tools = []*tool{{name: "zsync", program: "zsync", own: true}, {name: "one"}}
	b := &bench{bin: t.TempDir()}
	out := b.newResult(r)
	out.Tools[1].add(sample{"rate": 250, "sent": 1})
	out.judge(r)
	rep := &report{Rows: []*result{out}}
	if missed, _ := rep.missed(); len(missed) != 0 || len(rep.unmeasured()) != 1 {
		t.Errorf("missed %q, not measured %q", missed, rep.unmeasured())
	}
	text := out.table()
	if !strings.Contains(text, "not built") || strings.Contains(text, "x limit") {
		t.Error(text)
	}
}

// A row in which zsyncfs failed has missed its goals, and has no ratios.
func TestJudgeFailure(t *testing.T) {
	r := testRow()
	out := new(bench).newResult(r)
	out.Tools[0].add(sample{"rate": 250, "sent": 1})
	out.Tools[0].Error = "it broke"
	out.Tools[1].add(sample{"rate": 1, "sent": 1})
	out.judge(r)
	if !out.Metrics[0].Missed || out.Metrics[0].BestPeer != nil {
		t.Errorf("%+v", out.Metrics[0])
	}
	rep := &report{Rows: []*result{out}}
	if got, _ := rep.missed(); len(got) != 1 || got[0] != "some.row failed" {
		t.Errorf("missed: %q", got)
	}
	path := filepath.Join(t.TempDir(), "new", "report.json")
	if err := rep.save(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil || back.Rows[0].Tools[0].Error != "it broke" {
		t.Errorf("%v\n%s", err, text)
	}
}

// A row that needs what is not there is left out, and misses no goal.
func TestRowLeftOut(t *testing.T) {
	r := testRow()
	r.needs, r.files = []*tool{{program: "no-such-program-anywhere"}}, []string{bulkName}
	b := &bench{repeat: 1, failed: map[string]error{}}
	out := b.measureRow(r)
	if text := out.table(); !strings.Contains(text, "left out: no-such-program-anywhere") {
		t.Error(text)
	}
	if missed, _ := (&report{Rows: []*result{out}}).missed(); len(missed) != 0 {
		t.Errorf("missed: %q", missed)
	}
	if need := b.neededFiles([]row{r}); len(need) != 0 {
		t.Errorf("needs %v", need)
	}
	r.needs = nil
	if b.missing(r) != "" || !b.neededFiles([]row{r})[bulkName] {
		t.Error("a row that needs nothing is left out")
	}
	b.failed[bulkName] = fmt.Errorf("%w: no line", errUnavailable)
	if why := b.missing(r); why != "not available: no line" {
		t.Errorf("why: %q", why)
	}
	b.failed[bulkName] = errors.New("disk full")
	out = b.measureRow(r)
	if missed, _ := (&report{Rows: []*result{out}}).missed(); len(missed) != 1 || out.own().Error != "disk full" {
		t.Errorf("missed: %q, error %q", missed, out.own().Error)
	}
}

// saysTime says whether a metric is about time by its words.
func saysTime(m metric) bool {
	return slices.Contains([]string{"s", "ms", "round trips", "MB/s"}, m.unit) ||
		strings.Contains(m.title, "per second") || strings.Contains(m.title, "per CPU-second") ||
		strings.HasSuffix(m.title, " in time")
}

// Names select rows, so they must differ; every row measures this project's
// program first, and what it reads can be made.
func TestRows(t *testing.T) {
	b, makes := &bench{}, map[string]bool{}
	for _, f := range b.files() {
		if makes[f.name] {
			t.Errorf("%s is made twice", f.name)
		}
		makes[f.name] = true
	}
	seen := map[string]bool{}
	for _, r := range rows {
		for _, f := range r.files {
			if !makes[f] {
				t.Errorf("row %s: nothing makes %s", r.name, f)
			}
		}
		keys := map[string]bool{}
		for _, m := range r.metrics {
			if keys[m.key] {
				t.Errorf("row %s has %s twice", r.name, m.key)
			}
			keys[m.key] = true
			if about := saysTime(m); m.goal != nil && m.timed != about {
				t.Errorf("row %s: the goal of %s (%s): about time: %v, want %v", r.name, m.key, m.unit, m.timed, about)
			}
		}
		if seen[r.name] || !r.tools[0].own || r.measure == nil || len(r.metrics) == 0 || len(r.files) == 0 {
			t.Errorf("row %q is not complete", r.name)
		}
		seen[r.name] = true
	}
	for _, c := range []struct {
		prefix string
		groups []string
		want   int
	}{
		{"line.", nil, 5}, {"", []string{"line"}, 5}, {"", []string{"line", "list"}, 6}, {"", []string{"lin"}, 0},
		{"", []string{"delta.tar", "delta-time.own"}, 3}, {"delta.tar", []string{"delta"}, 2}, {"", []string{"delta"}, 14},
	} {
		if got := len(selectRows(c.prefix, c.groups...)); got != c.want {
			t.Errorf("%q %q: %d rows, want %d", c.prefix, c.groups, got, c.want)
		}
	}
}
