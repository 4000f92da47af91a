package page

import (
	"fmt"
	"path"
	"strings"

	"github.com/zsyncfs/zsyncfs/fs/target"
)

// blockMap is where the blocks of an artifact are, as a picture and as words.
type blockMap struct {
	Columns, Rows int
	Rects         []rect
	Legend        []legend
	Label         string // for who does not see it
}

// rect is a run of neighbouring cells of a row that look alike.
type rect struct {
	X, Y, Width int
	Class       string
}

// legend is one kind of blocks.
type legend struct {
	Class, Name string
	Blocks      int64
	Share       string
}

// sharedClasses are how many versions have a look of their own; all others have the last.
const sharedClasses = 4

// newBlockMap draws m in so many rows.
func newBlockMap(m target.Map, rows int) blockMap {
	rows = max(min(rows, len(m.Cells)), 1)
	columns := max((len(m.Cells)+rows-1)/rows, 1)
	b := blockMap{Columns: columns, Rows: rows}
	var own, missing, coming int64
	shared := make([]int64, len(m.From))
	for i, c := range m.Cells {
		own += c.Own
		coming += c.Coming
		here := c.Own
		for k, n := range c.Shared {
			shared[k] += n
			here += n
		}
		missing += c.Blocks - here
		class := cellClass(c, here)
		x, y := i%columns, i/columns
		if n := len(b.Rects); n > 0 && b.Rects[n-1].Class == class && b.Rects[n-1].Y == y {
			b.Rects[n-1].Width++
			continue
		}
		b.Rects = append(b.Rects, rect{X: x, Y: y, Width: 1, Class: class})
	}
	for n := len(m.Cells); n < columns*rows; n += columns - n%columns { // no blocks are there
		b.Rects = append(b.Rects, rect{X: n % columns, Y: n / columns, Width: columns - n%columns, Class: "void"})
	}
	missing = max(missing-coming, 0)
	add := func(class, name string, n int64) {
		b.Legend = append(b.Legend, legend{class, name, n, percent(n, m.Blocks)})
	}
	add("own", "here", own)
	for k, from := range m.From {
		add(sharedClass(k), "reused from "+versionName(from), shared[k])
	}
	add("coming", "fetched now", coming)
	add("missing", "missing", missing)
	var words []string
	for _, l := range b.Legend {
		if l.Blocks > 0 {
			words = append(words, l.Share+" "+l.Name)
		}
	}
	b.Label = "Block map: " + strings.Join(words, ", ")
	return b
}

// cellClass is how a cell looks: by what most of it is; half of that is here when only a
// part of its blocks is.
func cellClass(c target.Cell, here int64) string {
	class := "missing"
	switch {
	case c.Coming > 0:
		return "coming"
	case here > 0:
		most := c.Own
		class = "own"
		for k, n := range c.Shared {
			if n > most {
				most, class = n, sharedClass(k)
			}
		}
		if here < c.Blocks {
			class += " part"
		}
	}
	return class
}

func sharedClass(k int) string { return fmt.Sprintf("shared%d", min(k, sharedClasses-1)) }

// versionName is what a version is called whose control file is at url.
func versionName(url string) string {
	if url == "" {
		return "an older version"
	}
	name, _, _ := strings.Cut(url, "?")
	return text(strings.TrimSuffix(path.Base(name), ".zsync"))
}
