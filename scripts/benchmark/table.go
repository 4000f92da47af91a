package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// heading says what the tables were measured on and how to read them.
func (r *report) heading() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d CPUs, kernel %s", r.CPUs, r.Kernel)
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(&b, ", %s %s", name, r.Versions[name])
	}
	fmt.Fprintf(&b, "\nmedians of %d; images of %d, %d and %d MiB; the line: delay %v (measured round trip %.1f ms), %v MB/s; the slow line: %v MB/s\n",
		r.Repetitions, r.Sizes.Sparse/mib, r.Sizes.Bulk/mib, r.Sizes.Line/mib, roundTrip,
		r.Line.RoundTripSeconds*1e3, lineRate/1e6, float64(slowRate)/1e6)
	fmt.Fprintf(&b, "artifacts of the list: %d; updated image: %d MiB; scanned seed: %d MiB; image to make a control file of: %d MiB\n",
		r.Sizes.Artifacts, r.Sizes.Mixed/mib, r.Sizes.Seed/mib, r.Sizes.Make/mib)
	fmt.Fprintf(&b, "clients: %d, each with an image of %d MiB\n", r.Sizes.Clients, r.Sizes.ClientImage/mib)
	b.WriteString("\"x peer\", \"x limit\": how many times as good the program of this project, in the first column,\n" +
		"is as the best peer and as the limit (the most that can be had here); 1 is equal, more is better.\n" +
		"\"!\" marks a goal that was missed.\n")
	if r.Short {
		b.WriteString("With --short, goals about time do not count: a miss is marked, and is no failure.\n")
	}
	return b.String()
}

// table is a row as text.
func (r *result) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: %s\n", r.Name, r.Title)
	switch r.Times {
	case 0:
	case 1:
		b.WriteString("  measured once\n")
	default:
		fmt.Fprintf(&b, "  medians of %d\n", r.Times)
	}
	if r.Skipped != "" {
		fmt.Fprintf(&b, "  left out: %s\n", r.Skipped)
		return b.String()
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	cells := []string{"", "goal"}
	for _, t := range r.Tools {
		cells = append(cells, t.Name)
	}
	limited := slices.ContainsFunc(r.Tools, func(t *toolResult) bool { return t.Limit })
	cells = append(cells, "x peer")
	if limited {
		cells = append(cells, "x limit")
	}
	writeLine(w, append(cells, ""))
	for _, m := range r.Metrics {
		title := m.Title
		if m.Unit != "" {
			title += ", " + m.Unit
		}
		cells := []string{title, m.Goal}
		for _, t := range r.Tools {
			cells = append(cells, t.cell(m.Key))
		}
		mark := ""
		if m.Missed {
			mark = "!"
		}
		cells = append(cells, ratio(m.BestPeer))
		if limited {
			cells = append(cells, ratio(m.Limit))
		}
		writeLine(w, append(cells, mark))
	}
	_ = w.Flush() // into memory
	if r.Bound != "" {
		fmt.Fprintf(&b, "  a goal about time was missed; held against: %s\n", r.Bound)
	}
	if r.Profile != "" {
		fmt.Fprintf(&b, "  where the program's time went when it was measured once more:\n    %s\n", strings.ReplaceAll(r.Profile, "\n", "\n    "))
	}
	for _, t := range r.Tools {
		if t.Error != "" {
			fmt.Fprintf(&b, "  %s failed: %s\n", t.Name, t.Error)
		}
	}
	return b.String()
}

func writeLine(w *tabwriter.Writer, cells []string) {
	fmt.Fprintln(w, strings.Join(cells, "\t")+"\t")
}

// cell is what a tool's column says of a metric.
func (t *toolResult) cell(key string) string {
	value, measured := t.Medians[key]
	switch {
	case !t.Installed && t.Own:
		return "not built"
	case !t.Installed:
		return "not installed"
	case t.Error != "":
		return "failed"
	case !measured:
		return ""
	}
	return figure(value)
}

func ratio(r *float64) string {
	if r == nil {
		return ""
	}
	return figure(*r)
}

// figure is a number with three significant digits, and all digits before the point.
func figure(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
