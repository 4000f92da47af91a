package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
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
			{key: "rate", title: "rate", unit: "MB/s", goal: atLeast(200)},
			{key: "sent", title: "sent", lower: true, goal: atMost(4)},
			{key: "other", title: "other"},
		},
	}
}

func TestJudge(t *testing.T) {
	r := testRow()
	out := newResult(r)
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
	if got := strings.Join(rep.missed(), ","); got != "some.row (rate)" {
		t.Errorf("missed: %q", got)
	}
}

func TestTableSaysWhatIsMissing(t *testing.T) {
	r := testRow()
	out := newResult(r)
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

// A row in which zsyncfs failed has missed its goals, and has no ratios.
func TestJudgeFailure(t *testing.T) {
	r := testRow()
	out := newResult(r)
	out.Tools[0].add(sample{"rate": 250, "sent": 1})
	out.Tools[0].Error = "it broke"
	out.Tools[1].add(sample{"rate": 1, "sent": 1})
	out.judge(r)
	if !out.Metrics[0].Missed || out.Metrics[0].BestPeer != nil {
		t.Errorf("%+v", out.Metrics[0])
	}
	rep := &report{Rows: []*result{out}}
	if got := rep.missed(); len(got) != 1 || got[0] != "some.row failed" {
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
	r.needs, r.files = "no-such-program-anywhere", []string{bulkName}
	b := &bench{repeat: 1}
	out := b.measureRow(r)
	if text := out.table(); !strings.Contains(text, "left out: no-such-program-anywhere") {
		t.Error(text)
	}
	if missed := (&report{Rows: []*result{out}}).missed(); len(missed) != 0 {
		t.Errorf("missed: %q", missed)
	}
	if need := neededFiles([]row{r}); len(need) != 0 {
		t.Errorf("needs %v", need)
	}
	r.needs = ""
	if r.missing() != "" || !neededFiles([]row{r})[bulkName] {
		t.Error("a row that needs nothing is left out")
	}
}

// Names select rows, so they must differ, and every row measures zsyncfs first.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.name] || r.tools[0] != zsyncfs || r.measure == nil || len(r.metrics) == 0 || len(r.files) == 0 {
			t.Errorf("row %q is not complete", r.name)
		}
		seen[r.name] = true
	}
	if got := len(selectRows("line.")); got != 3 {
		t.Errorf("%d rows on the line", got)
	}
}
