package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
)

// The size of a curve's picture, in units of its own.
const curveWidth, curveHeight = 300, 60

// curves are what flowed in the last minutes.
type curves struct {
	Width, Height    int
	Received, Given  string // points of the lines: from servers, and to programs
	Hits             string // points: how much of what programs got was here
	Most             string // what the top is, for Received and Given
	Hit              string // the last hit rate; "" while nothing is read
	Minutes          string
	ReceivedNow      string
	GivenNow         string
	Label, HitsLabel string
}

// span is how much time a point of the curves is the mean of.
const span = 3

func newCurves(samples []daemon.Sample) curves {
	c := curves{Width: curveWidth, Height: curveHeight}
	if len(samples) < 2 {
		c.Label, c.HitsLabel = "nothing is known yet", "nothing is known yet"
		return c
	}
	var received, given, hits []point
	first, last := samples[0].Time, samples[len(samples)-1].Time
	width := max(last.Sub(first), time.Minute)
	most := 1.0
	for i := 1; i < len(samples); i++ {
		from, to := samples[max(i-span, 0)], samples[i]
		dt := to.Time.Sub(from.Time).Seconds()
		if dt <= 0 {
			continue
		}
		x := curveWidth * (1 - last.Sub(to.Time).Seconds()/width.Seconds())
		local, waited := to.LocalBytes-from.LocalBytes, to.WaitedBytes-from.WaitedBytes
		in, out := float64(to.Received-from.Received)/dt, float64(local+waited)/dt
		received, given = append(received, point{x, in}), append(given, point{x, out})
		most = max(most, in, out)
		if local+waited > 0 {
			hit := float64(local) / float64(local+waited)
			hits = append(hits, point{x, hit})
			c.Hit = fmt.Sprintf("%.0f %%", 100*hit)
		}
		c.ReceivedNow, c.GivenNow = rate(in), rate(out)
	}
	c.Received, c.Given, c.Hits = line(received, most), line(given, most), line(hits, 1)
	c.Most = rate(most)
	c.Minutes = width.Round(time.Second).String()
	c.Label = fmt.Sprintf("Last %s: at most %s; now %s received, %s given to programs", c.Minutes, orNothing(c.Most), orNothing(c.ReceivedNow), orNothing(c.GivenNow))
	c.HitsLabel = "Of what programs read was here: " + orNothing(c.Hit)
	return c
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

type point struct{ x, y float64 }

// line are the points of a polyline whose top is most.
func line(points []point, most float64) string {
	var b strings.Builder
	for _, p := range points {
		fmt.Fprintf(&b, "%.1f,%.1f ", p.x, curveHeight*(1-p.y/most))
	}
	return strings.TrimSpace(b.String())
}
