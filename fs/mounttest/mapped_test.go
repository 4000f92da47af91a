package mounttest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/line"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// TestMappedPageThatFails: a Go program meets a page of a map that cannot be read, on a
// line that makes it wait for that. Its runtime sends it signals meanwhile, and each time
// the page fault begins anew: it must come to its end all the same.
func TestMappedPageThatFails(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, elsewhere := folder(t), folder(t)
	publishIn(t, dir, "a.img", fixture.Random(1<<20, 12))
	s := serve(t, dir)
	l, err := line.Open(s.Addr(), line.Options{RoundTrip: 60 * time.Millisecond})
	must(t, err)
	t.Cleanup(l.Close)
	m := mount(t, "http://"+l.Addr()+"/", quiet...)
	pair := pairOf(m, elsewhere, "a.img")
	must(t, os.Rename(filepath.Join(dir, "a.img"), pair.Want))
	for range 3 { // what failed before may be asked for again
		err := within(t, "reading a map that cannot be read", func() error { return readcheck.Mmap(pair) })
		if err == nil {
			t.Error("a map of what is not there can be read")
		}
		t.Logf("%.100v", err)
	}
	m.Unmount()
}
