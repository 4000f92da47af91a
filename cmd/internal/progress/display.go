package progress

import (
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// lines is a line for each step.
type lines struct{ out io.Writer }

func (l *lines) begin(p download.Progress) {
	fmt.Fprintf(l.out, "%s (%s)\n", words(p.Step), humanize.Bytes(uint64(max(p.Step.Total, 0))))
}
func (l *lines) update(download.Progress, float64) {}
func (l *lines) end(download.Progress)             {}
func (l *lines) clear()                            {}

// bar redraws a line.
type bar struct {
	out io.Writer
	b   *progressbar.ProgressBar
}

// Words of this length leave room for bar and figures on 80 columns.
const maxWords = 34

func (d *bar) begin(p download.Progress) {
	text := []rune(words(p.Step))
	if len(text) > maxWords {
		text = append(append(text[:maxWords/2:maxWords/2], '…'), text[len(text)-maxWords/2+1:]...)
	}
	d.b = progressbar.NewOptions64(max(p.Step.Total, 1),
		progressbar.OptionSetWriter(d.out),
		progressbar.OptionSetDescription(fmt.Sprintf("%-*s", maxWords, string(text))),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetWidth(12),
		progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "#", SaucerPadding: "-", BarStart: "[", BarEnd: "]"}),
	)
}

func (d *bar) update(p download.Progress, _ float64) {
	_ = d.b.Set64(min(max(p.Done, 0), d.b.GetMax64()))
}

func (d *bar) end(p download.Progress) {
	d.update(p, 0)
	_ = d.b.Exit() // it stays as it is
	fmt.Fprintln(d.out)
}

func (d *bar) clear() { _ = d.b.Clear() } // the next update draws it again

// jsonLines is an object a line.
type jsonLines struct{ out io.Writer }

type jsonLine struct {
	Step           string   `json:"step"`
	Name           string   `json:"name,omitempty"`
	Done           int64    `json:"done"`
	Total          int64    `json:"total"`
	Known          int64    `json:"known"`
	Length         int64    `json:"length"`
	BytesPerSecond *float64 `json:"bytes_per_second,omitempty"`
	ETASeconds     *float64 `json:"eta_seconds,omitempty"`
}

func (j *jsonLines) begin(p download.Progress) { j.update(p, 0) }

func (j *jsonLines) update(p download.Progress, rate float64) {
	// A compressed seed has more bytes to scan than its length says.
	line := jsonLine{Step: p.Step.Kind.String(), Name: p.Step.Name, Done: min(p.Done, p.Step.Total), Total: p.Step.Total,
		Known: p.Known, Length: p.Length}
	if rate > 0 {
		left := float64(max(p.Step.Total-p.Done, 0)) / rate
		line.BytesPerSecond, line.ETASeconds = &rate, &left
	}
	_ = report.PrintJSONLine(j.out, line) // strings and finite numbers always encode
}

func (j *jsonLines) end(download.Progress) {}
func (j *jsonLines) clear()                {}
