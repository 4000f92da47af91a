package page

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// These are the functions of the templates.

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// text is what a stranger named, without what a browser would act on.
func text(s string) string { return report.Printable(s) }

func percent(part, whole int64) string {
	switch {
	case whole <= 0 || part >= whole:
		return "100 %"
	case part <= 0:
		return "0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

func since(t time.Time) string { return time.Since(t).Round(time.Second).String() }

func clock(t time.Time) string { return t.Format("15:04:05") }

func count(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// rate is a number of bytes a second; "" when nothing moves.
func rate(r float64) string {
	if r < 1 {
		return ""
	}
	return size(int64(r)) + "/s"
}
