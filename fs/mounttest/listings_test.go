package mounttest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// restlessNames is how many artifacts of each kind a folder of a restless server has, and
// restlessFolders how many folders.
const restlessNames, restlessFolders = 30, 4

// restless is a server with other listings in each turn: with artifacts and folders that
// nobody has seen before, and artifacts whose name stays, but not their URL.
type restless struct {
	turn    atomic.Int64
	control []byte // of all artifacts
}

func newRestless(t *testing.T) *restless {
	t.Helper()
	b, err := format.NewBuilder(format.BuilderOptions{URLs: []string{"content"}, MTime: time.Unix(1_700_000_000, 0)})
	must(t, err)
	_, err = b.Write([]byte("content"))
	must(t, err)
	var control bytes.Buffer
	_, err = b.WriteTo(&control)
	must(t, err)
	return &restless{control: control.Bytes()}
}

func (s *restless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, ".zsync") {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.control))
		return
	}
	turn := s.turn.Load()
	w.Header().Set("Content-Type", "text/html")
	for i := range restlessNames {
		fmt.Fprintf(w, "<a href=\"same-%d.zsync?signature=%d\">x</a>\n", i, turn)
		fmt.Fprintf(w, "<a href=\"new-%d-%d.zsync\">x</a>\n", turn, i)
	}
	for i := range restlessFolders {
		if r.URL.Path == "/" {
			fmt.Fprintf(w, "<a href=\"folder-%d-%d/\">x</a>\n", turn, i)
		}
	}
}

// TestTortureListings looks at everything of a server whose listings are always other
// ones: of what is gone nothing stays in the daemon, or in its store.
func TestTortureListings(t *testing.T) {
	t.Parallel()
	needMount(t)
	server := newRestless(t)
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	w := watch(t, s.URL+"/", "--refresh=300ms")
	m := w.m
	made := 0
	round := func() {
		turn := server.turn.Add(1)
		eventually(t, "the listing is another one", func() error {
			_, err := os.Lstat(m.Path(fmt.Sprintf("new-%d-0", turn)))
			return err
		})
		dirs := []string{"."}
		for i := range restlessFolders {
			dirs = append(dirs, fmt.Sprintf("folder-%d-%d", turn, i))
		}
		for _, dir := range dirs {
			entries, err := os.ReadDir(m.Path(dir))
			must(t, err)
			for _, e := range entries {
				_, err := os.Lstat(m.Path(path.Join(dir, e.Name())))
				must(t, err)
				made++
			}
		}
	}
	for range 2 { // from the second on something goes
		round()
	}
	base := w.base()
	rounds := trials(8, 300)
	for range rounds {
		round()
	}
	w.backAt(base, leakRoom)
	promised(t, "nothing leaks", "listings that are always other ones", made)
	m.Unmount()
	// The log of the index has what it was told, and is written anew when it has grown.
	log, err := os.Stat(filepath.Join(m.CacheDir, "index", "log"))
	must(t, err)
	t.Logf("%d names in %d rounds; the log of the index has %d KiB", made, rounds, log.Size()>>10)
}

// TestFolderComesBack: a folder that left the listing and came back is there again, also
// for who has it open, whether the kernel asked for its name meanwhile or not.
func TestFolderComesBack(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	sub, away := filepath.Join(dir, "sub"), filepath.Join(folder(t), "sub")
	must(t, os.MkdirAll(filepath.Join(sub, "deeper"), 0o755))
	publishIn(t, dir, "stays", fixture.Random(10_000, 1)) // a listing that comes empty is not believed
	publishIn(t, filepath.Join(sub, "deeper"), "x", fixture.Random(10_000, 2))
	m := mount(t, serve(t, dir).URL("/"), "--refresh=200ms")
	file := pairOf(m, dir, "sub/deeper/x")
	must(t, readcheck.Whole(file))
	held := openFile(t, m.Path("sub/deeper"))
	for _, asked := range []bool{false, true} {
		must(t, os.Rename(sub, away))
		eventually(t, "the folder is gone", func() error { return listed(m, "sub", false) })
		if asked {
			eventually(t, "its name is gone", func() error { return isGone(m.Path("sub")) })
		}
		must(t, os.Rename(away, sub))
		eventually(t, "the folder is back", func() error { return listed(m, "sub", true) })
		eventually(t, "its file is back", func() error { return readcheck.Whole(file) })
		eventually(t, "its file is back for who has the folder open", func() error {
			return unix.Faccessat(int(held.Fd()), "x", unix.R_OK, 0)
		})
	}
}

// listed wants name to be among those of m's root, or not.
func listed(m *daemon.Mount, name string, want bool) error {
	entries, err := os.ReadDir(m.Dir)
	is := func(e os.DirEntry) bool { return e.Name() == name }
	if err == nil && slices.ContainsFunc(entries, is) != want {
		err = fmt.Errorf("%v are listed", entries)
	}
	return err
}

func isGone(path string) error {
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		return fmt.Errorf("stat: %v", err)
	}
	return nil
}
