package target

import (
	"bytes"
	"maps"
	"slices"

	"github.com/zsyncfs/zsyncfs/blockstore"
)

// Map is where the blocks of a target are, in cells of neighbouring blocks.
type Map struct {
	Blocks int64
	Cells  []Cell
	// From are the URLs of the versions that Cell.Shared counts, by index; "" for one
	// that nobody knows any more.
	From []string
}

// Cell is what is true of some blocks; numbers are blocks.
type Cell struct {
	Blocks int64
	Own    int64   // here, in the version's own file
	Shared []int64 // here, in the files of the versions of Map.From
	Coming int64   // being fetched now
}

// Map looks at the target of the control file at url, as Stats names it, when it is
// open; false when it is not. It has at most cells cells. Safe for concurrent use.
func (p *Pool) Map(url string, cells int) (Map, bool) {
	t := p.opened(url)
	if t == nil {
		return Map{}, false
	}
	return t.layout(cells), true
}

// opened is the open target of the control file at url; nil when there is none. Of
// several versions it is the one that has users.
func (p *Pool) opened(url string) (found *Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	users := -1
	for _, e := range p.entries {
		select {
		case <-e.ready:
			if e.target != nil && e.users > users && e.target.where() == url {
				found, users = e.target, e.users
			}
		default:
		}
	}
	return found
}

// layout is t's Map.
func (t *Target) layout(n int) Map {
	m := Map{Blocks: t.geometry.BlockCount()}
	var keys []blockstore.Key
	for _, c := range t.version.Cells(n) {
		out := Cell{Blocks: c.Blocks, Own: c.Own}
		// In the same order each time: who looks tells versions by their index.
		byName := func(a, b blockstore.Key) int { return bytes.Compare(a[:], b[:]) }
		for _, key := range slices.SortedFunc(maps.Keys(c.Shared), byName) {
			i := slices.Index(keys, key)
			if i < 0 {
				i = len(keys)
				keys = append(keys, key)
				place := t.store.PlaceOf(key)
				m.From = append(m.From, string(place))
			}
			for len(out.Shared) <= i {
				out.Shared = append(out.Shared, 0)
			}
			out.Shared[i] += c.Shared[key]
		}
		m.Cells = append(m.Cells, out)
	}
	t.markComing(m.Cells)
	return m
}

// markComing counts the blocks that are being fetched.
func (t *Target) markComing(cells []Cell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.flights {
		for _, r := range f.runs {
			for b := r.Start; b < r.End; {
				i := t.geometry.PartOf(b, len(cells))
				end := min(t.geometry.Part(i, len(cells)).End, r.End)
				cells[i].Coming += int64(end - b)
				b = end
			}
		}
	}
}
