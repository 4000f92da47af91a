package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// report is everything that a run has measured, as it is saved.
type report struct {
	Date        time.Time         `json:"date"`
	CPUs        int               `json:"cpus"`
	Kernel      string            `json:"kernel"`
	Versions    map[string]string `json:"versions"`
	Sizes       sizes             `json:"sizes"`
	Repetitions int               `json:"repetitions"`
	Short       bool              `json:"short,omitempty"` // goals about time do not count
	Line        struct {
		DelaySeconds     float64 `json:"delay_seconds"`      // asked for, both directions together
		RoundTripSeconds float64 `json:"round_trip_seconds"` // measured
		BytesPerSecond   int64   `json:"bytes_per_second"`
		SlowRate         int64   `json:"slow_line_bytes_per_second"`
	} `json:"line"`
	Rows []*result `json:"rows"`
}

// result is what came out of one row.
type result struct {
	Name    string        `json:"name"`
	Title   string        `json:"title"`
	Skipped string        `json:"skipped,omitempty"`     // why nothing was measured
	Times   int           `json:"repetitions,omitempty"` // measured so often, and not as often as other rows
	Tools   []*toolResult `json:"tools"`
	Metrics []*judged     `json:"metrics"`
	Bound   string        `json:"bound,omitempty"`   // what a goal about time is held against, when one was missed
	Profile string        `json:"profile,omitempty"` // of this project's program then
}

// toolResult has the samples of one tool in one row, by metric.
type toolResult struct {
	Name      string               `json:"name"`
	Limit     bool                 `json:"limit"`
	Own       bool                 `json:"own"`
	Installed bool                 `json:"installed"`
	Error     string               `json:"error,omitempty"`
	Samples   map[string][]float64 `json:"samples"`
	Medians   map[string]float64   `json:"medians"`
}

// judged is a metric of a row with what this project's program reached.
type judged struct {
	Key      string   `json:"key"`
	Title    string   `json:"title"`
	Unit     string   `json:"unit"`
	Goal     string   `json:"goal,omitempty"`
	Missed   bool     `json:"missed"`
	Timed    bool     `json:"timed,omitempty"` // the goal is about time
	BestPeer *float64 `json:"ratio_to_best_peer,omitempty"`
	Limit    *float64 `json:"ratio_to_limit,omitempty"`
}

func (b *bench) newReport() *report {
	r := &report{
		Date: time.Now().UTC(), CPUs: runtime.NumCPU(), Kernel: kernel(), Versions: b.versions(),
		Sizes: b.sizes, Repetitions: b.repeat, Short: b.short,
	}
	r.Line.DelaySeconds, r.Line.RoundTripSeconds, r.Line.BytesPerSecond = roundTrip.Seconds(), b.trip, lineRate
	r.Line.SlowRate = slowRate
	return r
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return string(bytes.TrimRight(u.Release[:], "\x00"))
}

// versions are those of all programs, as far as they are known.
func (b *bench) versions() map[string]string {
	out := map[string]string{}
	if text, err := exec.Command(b.binary, "version").Output(); err == nil {
		line, _, _ := strings.Cut(string(text), "\n")
		out["zsyncfs"] = strings.TrimPrefix(line, "zsyncfs ")
	}
	for _, name := range []string{"httpfs2", "nbdkit", "libnbd-bin", "rclone", "nginx", "curl", "zsync", "casync", "rsync", "openssl"} {
		text, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
		if err == nil && len(text) != 0 {
			out[debianName(name)] = string(text)
		}
	}
	return out
}

// debianName tells Debian's programs from those of this project with the same names.
func debianName(program string) string {
	if program == debianZsync.program {
		return "Debian's " + program
	}
	return program
}

func (b *bench) newResult(r row) *result {
	out := &result{Name: r.name, Title: r.title}
	if n := b.repetitions(r); n != b.repeat {
		out.Times = n
	}
	for _, t := range r.tools {
		_, err := b.path(t)
		out.Tools = append(out.Tools, &toolResult{
			Name: t.name, Limit: t.limit, Own: t.own, Installed: err == nil,
			Samples: map[string][]float64{}, Medians: map[string]float64{},
		})
	}
	return out
}

func (r *result) of(t *tool) *toolResult {
	for _, mine := range r.Tools {
		if mine.Name == t.name {
			return mine
		}
	}
	return nil
}

func (t *toolResult) add(s sample) {
	for key, v := range s {
		t.Samples[key] = append(t.Samples[key], v)
		t.Medians[key] = median(t.Samples[key])
	}
}

// median of at least one number.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// judge sets the metrics: ratios, and whether the goal was missed. A program
// that is not built yet misses none.
func (r *result) judge(from row) {
	own := r.own()
	for _, m := range from.metrics {
		j := &judged{Key: m.key, Title: m.title, Unit: m.unit, Goal: m.goalText(), Timed: m.timed}
		r.Metrics = append(r.Metrics, j)
		value, measured := own.Medians[m.key]
		if own.Error != "" || !measured {
			j.Missed = m.goal != nil && own.Installed
			continue
		}
		var peers, limits []float64
		for _, t := range r.Tools {
			other, measured := t.Medians[m.key]
			if t == own || t.Error != "" || !measured {
				continue
			}
			if m.timed {
				other = beside(value, own.Samples[m.key], other, t.Samples[m.key])
			}
			if t.Limit {
				limits = append(limits, other)
			} else {
				peers = append(peers, other)
			}
			ratio, ok := m.ratio(value, other)
			if !ok {
				continue
			}
			best := &j.BestPeer
			if t.Limit {
				best = &j.Limit
			}
			if *best == nil || ratio < **best {
				*best = &ratio
			}
		}
		j.Missed = m.goal != nil && !m.reached(value, peers, limits)
	}
}

// beside is another program's number as it is held against own: own times the median of
// the ratios within a turn. How fast a machine is can change from one minute to the next,
// and does so for all that are measured in a turn; the ratio of the medians would take two
// of different turns. Without as many samples of both it is other as it is.
func beside(own float64, ownSamples []float64, other float64, samples []float64) float64 {
	if len(samples) != len(ownSamples) || own <= 0 || slices.ContainsFunc(slices.Concat(samples, ownSamples), func(v float64) bool { return v <= 0 }) {
		return other
	}
	ratios := slices.Clone(samples)
	for i, v := range ownSamples {
		ratios[i] /= v
	}
	return own * median(ratios)
}

// own has the samples of this project's program, which each row has first.
func (r *result) own() *toolResult { return r.Tools[0] }

// unmeasured names the rows in which nothing of this project was measured.
func (r *report) unmeasured() []string {
	var out []string
	for _, row := range r.Rows {
		if row.Skipped != "" || !row.own().Installed {
			out = append(out, row.Name)
		}
	}
	return out
}

// missed names the goals that this project missed, and the rows in which it
// failed: those that count, and the goals about time of a short run, which do
// not. Rows that were not measured have none of these.
func (r *report) missed() (counted, slow []string) {
	for _, row := range r.Rows {
		if row.own().Error != "" {
			counted = append(counted, row.Name+" failed")
			continue
		}
		for _, m := range row.Metrics {
			if !m.Missed {
				continue
			}
			name := fmt.Sprintf("%s (%s)", row.Name, strings.TrimSpace(m.Title))
			if _, measured := row.own().Medians[m.Key]; r.Short && m.Timed && measured {
				slow = append(slow, name)
			} else {
				counted = append(counted, name)
			}
		}
	}
	return counted, slow
}

// verdict is what to print at the end of a run. The error is errGoal with
// everything missed that counts.
func (r *report) verdict() (string, error) {
	var b strings.Builder
	counted, slow := r.missed()
	if len(slow) != 0 {
		fmt.Fprintf(&b, "bench: with --short, which does not show how fast it is, these missed goals about time do not count:\n  %s\n",
			strings.Join(slow, "\n  "))
	}
	if len(counted) != 0 {
		return b.String(), fmt.Errorf("%w:\n  %s", errGoal, strings.Join(counted, "\n  "))
	}
	reached, missed := "all goals reached", "no goal was missed"
	if len(slow) != 0 {
		reached, missed = "all other goals reached", "no other goal was missed"
	}
	if left := r.unmeasured(); len(left) != 0 {
		fmt.Fprintf(&b, "bench: %s, but nothing was measured in: %s\n", missed, strings.Join(left, ", "))
	} else {
		fmt.Fprintf(&b, "bench: %s\n", reached)
	}
	return b.String(), nil
}

// save writes the report as JSON.
func (r *report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
