package mounttest

import (
	"bytes"
	"errors"
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

// TestFileComesBack: a file that left the listing and came back as it was is the same
// version: a read of it that meets the time between two parts of a replacement waits, by
// who had it open as well.
func TestFileComesBack(t *testing.T) {
	t.Parallel()
	needMount(t)
	const length, at = 4 << 20, 3 << 20
	dir, away := folder(t), folder(t)
	content := fixture.Random(length, 1)
	publishIn(t, dir, "x", content)
	publishIn(t, dir, "stays", fixture.Random(10_000, 2)) // a listing that comes empty is not believed
	m := mount(t, serve(t, dir).URL("/"), "--refresh=200ms", "--fill=off")
	held := openFile(t, m.Path("x"))
	readAt(t, m.Path("x"), 0, 4096)
	move := func(from, to, name string) {
		must(t, os.Rename(filepath.Join(from, name), filepath.Join(to, name)))
	}
	move(dir, away, "x.zsync")
	eventually(t, "its name is gone", func() error { return isGone(m.Path("x")) })
	move(away, dir, "x.zsync")
	eventually(t, "its name is back", func() error {
		_, err := os.Stat(m.Path("x"))
		return err
	})
	move(dir, away, "x")
	must(t, os.WriteFile(filepath.Join(dir, "x"), fixture.Random(length, 3), 0o644))
	opened := openFile(t, m.Path("x"))
	time.AfterFunc(2*time.Second, func() { _ = os.Rename(filepath.Join(away, "x"), filepath.Join(dir, "x")) })
	for i, f := range []*os.File{opened, held} {
		got, off := make([]byte, 4096), int64(at+i<<19)
		if _, err := f.ReadAt(got, off); err != nil || !bytes.Equal(got, content[off:][:len(got)]) {
			t.Errorf("a read of it, %d: %v", i, err)
		}
	}
}

// TestIndexNamesAnotherServer: what is opened after the index file names another server
// is fetched from there, and what was open before goes on by what it has.
func TestIndexNamesAnotherServer(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	content := fixture.Random(4<<20, 1)
	publishIn(t, dir, "x", content)
	first, second := serve(t, dir), serve(t, dir)
	index := filepath.Join(folder(t), "index")
	must(t, os.WriteFile(index, []byte(first.URL("/x.zsync")), 0o600))
	m := daemon.Start(t, daemon.Options{
		Binary: binary(t), IndexFile: index, Flags: []string{"--refresh=200ms", "--fill=off", "--read-deadline=2s"},
	})
	held := openFile(t, m.Path("x"))
	readAt(t, m.Path("x"), 0, 4096)
	must(t, os.WriteFile(index, []byte(second.URL("/x.zsync")), 0o600))
	first.Stop()
	eventually(t, "the other server is asked", func() error { return opens(m.Path("x"), content, 2<<20) })
	if url, err := xattr(m.Path("x"), "user.zsync.control-url"); url != second.URL("/x.zsync") {
		t.Errorf("its control file is at %s, %v", url, err)
	}
	if a, b := inode(t, held), inode(t, openFile(t, m.Path("x"))); a != b {
		t.Errorf("the inode %d became %d", a, b)
	}
	got := make([]byte, 4096)
	must(t, unix.Fadvise(int(held.Fd()), 0, 0, unix.FADV_DONTNEED))
	if _, err := held.ReadAt(got, 0); err != nil || !bytes.Equal(got, content[:len(got)]) {
		t.Errorf("what was read before: %v", err)
	}
}

// opens opens path, whose content this is, and reads at off.
func opens(path string, content []byte, off int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	got := make([]byte, 4096)
	if _, err := f.ReadAt(got, off); err != nil {
		return err
	}
	if !bytes.Equal(got, content[off:][:len(got)]) {
		return errors.New("wrong bytes")
	}
	return nil
}

// TestSignedListing: the links of a listing are signed, and the signatures end. What is
// opened then is fetched with those of the new listing.
func TestSignedListing(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	content := fixture.Random(4<<20, 1)
	publishIn(t, dir, "x", content)
	var turn atomic.Int64
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signature := fmt.Sprint(turn.Load())
		switch {
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<a href=\"x.zsync?signature=%s\">x</a>\n", signature)
		case r.URL.Path == "/x.zsync" && r.URL.Query().Get("signature") != signature:
			w.WriteHeader(http.StatusForbidden)
		default:
			files.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	m := mount(t, s.URL+"/", "--refresh=200ms", "--fill=off", "--read-deadline=2s")
	held := openFile(t, m.Path("x"))
	for off := range int64(3) {
		eventually(t, "it can be read", func() error { return opens(m.Path("x"), content, off<<20) })
		turn.Add(1)
	}
	if a, b := inode(t, held), inode(t, openFile(t, m.Path("x"))); a != b {
		t.Errorf("the inode %d became %d", a, b)
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
