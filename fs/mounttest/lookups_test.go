package mounttest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
)

// lookupFolders are the folders of the archive that TestTortureLookups looks at.
var lookupFolders = []string{"", "sub", "sub/deeper"}

// manyNames makes a new folder with count artifacts in each of lookupFolders.
func manyNames(t *testing.T, count int) string {
	t.Helper()
	dir := folder(t)
	var paths []string
	for _, in := range lookupFolders {
		must(t, os.MkdirAll(filepath.Join(dir, in), 0o755))
		for i := range count {
			path := filepath.Join(dir, in, fmt.Sprintf("artifact-%05d", i))
			must(t, os.WriteFile(path, []byte(path), 0o644))
			paths = append(paths, path)
		}
	}
	for len(paths) > 0 {
		some := min(len(paths), 1000) // what a command line has room for
		must(t, fixture.Make(binary(t), paths[:some]...))
		paths = paths[some:]
	}
	return dir
}

// inodeObjects is how many objects an inode is at least on the daemon's heap.
const inodeObjects = 2

// TestTortureLookups looks up names that are there and names that are not, each of these
// another one, a million times, and has the kernel forget them: nothing of it stays in
// the daemon.
func TestTortureLookups(t *testing.T) {
	t.Parallel()
	needMount(t)
	needRoot(t) // to have names forgotten
	each, rounds := trials(100, 1000), trials(6, 170)
	w := watch(t, serve(t, manyNames(t, each)).URL("/"), "--refresh=1h")
	m := w.m
	l := &lookups{t: t, m: m}
	l.round()
	forgetNames(t, m)
	base := w.base()
	for i := range rounds {
		l.round()
		if i%20 != 0 {
			forgetNames(t, m)
			continue
		}
		known := w.now()
		t.Logf("%d look-ups: %v", l.made, known)
		forgetNames(t, m)
		// What is forgotten was there: else there would be nothing to find a leak of.
		eventually(t, "names are forgotten", func() error {
			if now, want := w.now(), known.Objects-inodeObjects*int64(each*len(lookupFolders)); now.Objects > want {
				return fmt.Errorf("%d objects of %d are left, want at most %d", now.Objects, known.Objects, want)
			}
			return nil
		})
	}
	room := leakRoom
	room.Objects = int64(each * len(lookupFolders)) // less than one round would leave
	w.backAt(base, room)
	promised(t, "nothing leaks", "look-ups and forgets", l.made)
	m.Unmount()
}

// lookups looks up names in all lookupFolders.
type lookups struct {
	t *testing.T
	m *daemon.Mount

	mu   sync.Mutex
	made int // guarded by mu
}

// round looks up all names, and as many that are not there.
func (l *lookups) round() {
	var all sync.WaitGroup
	for _, in := range lookupFolders {
		all.Go(func() {
			if err := l.folder(in); err != nil {
				l.t.Error(err)
			}
		})
	}
	all.Wait()
	if l.t.Failed() {
		l.t.FailNow()
	}
}

func (l *lookups) folder(in string) error {
	entries, err := os.ReadDir(l.m.Path(in))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, err := os.Lstat(l.m.Path(filepath.Join(in, e.Name()))); err != nil {
			return err
		}
		none := l.m.Path(filepath.Join(in, fmt.Sprintf("nothing-of-the-name-%d", l.count(2))))
		if _, err := os.Lstat(none); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s, which is not there: %w", none, err)
		}
	}
	return nil
}

// count takes in n look-ups, and is how many there were before.
func (l *lookups) count(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made += n
	return l.made - n
}
