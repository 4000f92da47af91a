package page

import (
	"fmt"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
)

// These are the functions of the templates, beside those of package words.

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

func clock(t time.Time) string { return t.Format("15:04:05") }

// rate is a number of bytes a second; "" when nothing moves.
func rate(r float64) string {
	if r < 1 {
		return ""
	}
	return words.Size(int64(r)) + "/s"
}
