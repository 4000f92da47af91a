package mounttest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// TestMountAfterChanges: a mount whose store remembers an older listing finds
// the changes while it is being made, before the kernel knows any name.
func TestMountAfterChanges(t *testing.T) {
	t.Parallel()
	needMount(t)
	const refresh = time.Second
	dir := folder(t)
	s := serve(t, dir)
	var paths []string
	publish := func(round int) {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("new%d.img", round)))
		for i, path := range paths { // each of another length than before: its header changes
			must(t, os.WriteFile(path, fixture.Random(20_000+round, uint64(100*round+i)), 0o644))
			must(t, fixture.Zsyncmake(path))
		}
	}
	publish(0)
	m := mount(t, s.URL("/"), "--refresh", refresh.String())
	for round := 1; ; round++ {
		for _, path := range paths {
			if err := readcheck.Whole(readcheck.Pair{Got: m.Path(filepath.Base(path)), Want: path}); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
		if names, err := os.ReadDir(m.Dir); err != nil || len(names) != len(paths) {
			t.Errorf("round %d: %d names, want %d: %v", round, len(names), len(paths), err)
		}
		m.Unmount()
		if round == 6 || t.Failed() {
			return
		}
		publish(round)
		// Only what is older than the refresh time is asked for again.
		time.Sleep(refresh + refresh/10)
		m = again(t, m, s.URL("/"), "--refresh", refresh.String())
	}
}
