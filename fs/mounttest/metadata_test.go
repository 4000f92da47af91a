package mounttest

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

func TestXattrs(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	target := filepath.Join(dir, "an image.img")
	content := fixture.Random(500*2048+1, 5)
	must(t, os.WriteFile(target, content, 0o644))
	must(t, fixture.Zsyncmake(target))
	s := serve(t, dir)
	m := mount(t, s.URL("/"), quiet...)
	path := m.Path("an image.img")
	value := func(name string) string {
		t.Helper()
		v, err := xattr(path, "user.zsync."+name)
		if err != nil {
			t.Error(err)
		}
		return v
	}
	if v := value("control-url"); v != s.URL("/an%20image.img.zsync") {
		t.Errorf("control-url: %q", v)
	}
	if v := value("url"); v != s.URL("/an%20image.img") {
		t.Errorf("url: %q", v)
	}
	sum := sha1.Sum(content)
	if v := value("file-hash"); !strings.Contains(strings.ToLower(v), hex.EncodeToString(sum[:])) {
		t.Errorf("file-hash: %q", v)
	}
	if v := value("blocks"); v != "501" {
		t.Errorf("blocks: %q", v)
	}
	if v := value("blocks-local"); v != "0" {
		t.Errorf("blocks-local before any read: %q", v)
	}
	if v := value("state"); v != "provisional" {
		t.Errorf("state before any read: %q", v)
	}
	if _, err := readcheck.DirectAt(path, 4096, 4096); err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.Atoi(value("blocks-local")); err != nil || n < 2 || n > 501 {
		t.Errorf("blocks-local after a read: %d, %v", n, err)
	}
	must(t, readcheck.Whole(readcheck.Pair{Got: path, Want: target}))
	if v := value("blocks-local"); v != "501" {
		t.Errorf("blocks-local after reading everything: %q", v)
	}
	eventually(t, "the whole file is verified", func() error {
		if v := value("state"); v != "verified" {
			return fmt.Errorf("state %q", v)
		}
		return nil
	})
	if _, err := xattr(path, "user.zsync.nothing"); !isErrno(err, unix.ENODATA) {
		t.Errorf("an attribute that does not exist: %v", err)
	}
	names := make([]byte, 4096)
	n, err := unix.Listxattr(path, names)
	must(t, err)
	list := strings.Split(string(names[:n]), "\x00")
	for _, name := range []string{"url", "control-url", "file-hash", "blocks", "blocks-local", "state"} {
		if !slices.Contains(list, "user.zsync."+name) {
			t.Errorf("listxattr does not have %s: %q", name, list)
		}
	}
}

// names are paths below the root of TestTree's archive.
var names = []string{
	"plain", "with spaces", "größe-日本.img", "per%20cent%", "plus+and&amp;?#.img", "'quotes\".img",
	"sub/in a sub folder", "sub/ünter/deeper.bin", "sub/ünter/leaf", ".hidden",
}

func TestTree(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	for i, name := range names {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, fixture.Random(10_000+i, uint64(i)), 0o644))
		must(t, fixture.Zsyncmake(path))
	}
	must(t, os.WriteFile(filepath.Join(dir, "no control file"), []byte("x"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "plain.zsync.sha256"), []byte("x"), 0o644))
	s := serve(t, dir)
	m := mount(t, s.URL("/"), quiet...)
	first := inodes(t, m)
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			continue // no server lists it
		}
		if _, ok := first[name]; !ok {
			t.Errorf("%s is missing: %v", name, first)
			continue
		}
		if err := readcheck.Whole(readcheck.Pair{Got: m.Path(name), Want: filepath.Join(dir, name)}); err != nil {
			t.Error(err)
		}
	}
	if want := len(names) - 1 + 2; len(first) != want {
		t.Errorf("%d entries, want %d: %v", len(first), want, first)
	}
	for _, name := range []string{"no control file", "plain.zsync", "nothing"} {
		if _, err := os.Lstat(m.Path(name)); !os.IsNotExist(err) {
			t.Errorf("%s: %v, want that it does not exist", name, err)
		}
	}
	m.Unmount()
	m = again(t, m, s.URL("/"), quiet...)
	for name, ino := range inodes(t, m) {
		if first[name] != ino {
			t.Errorf("%s: inode %d became %d", name, first[name], ino)
		}
	}
	readOnly(t, m)
}

// inodes are the inode numbers of all files and folders below the root.
func inodes(t *testing.T, m *daemon.Mount) map[string]uint64 {
	t.Helper()
	out, seen := map[string]uint64{}, map[uint64]string{}
	err := filepath.Walk(m.Dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		if other, ok := seen[st.Ino]; ok {
			t.Errorf("%s and %s have the inode %d", path, other, st.Ino)
		}
		seen[st.Ino] = path
		if rel, _ := filepath.Rel(m.Dir, path); rel != "." {
			out[rel] = st.Ino
		}
		return nil
	})
	must(t, err)
	return out
}

// readOnly tries to change things.
func readOnly(t *testing.T, m *daemon.Mount) {
	t.Helper()
	if err := os.WriteFile(m.Path("new"), nil, 0o644); err == nil {
		t.Error("a file was created")
	}
	if f, err := os.OpenFile(m.Path("plain"), os.O_RDWR, 0); err == nil {
		f.Close()
		t.Error("a file was opened for writing")
	}
	if err := os.Remove(m.Path("plain")); err == nil {
		t.Error("a file was removed")
	}
}

func TestStatfs(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/made/"))
	if _, err := os.Stat(m.Path(imageFile)); err != nil {
		t.Fatal(err)
	}
	var st unix.Statfs_t
	must(t, unix.Statfs(m.Dir, &st))
	const fuseMagic = 0x65735546
	if st.Type != fuseMagic || st.Bsize <= 0 || st.Blocks == 0 || st.Namelen < 255 {
		t.Errorf("statfs: %+v", st)
	}
}

// TestSources: a single control file, and a file with URLs.
func TestSources(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	pair := func(m *daemon.Mount, name string) readcheck.Pair {
		return readcheck.Pair{Got: m.Path(name), Want: filepath.Join(dir, "made", name)}
	}
	onlyEntries := func(t *testing.T, m *daemon.Mount, want ...string) {
		t.Helper()
		entries, err := os.ReadDir(m.Dir)
		must(t, err)
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if !slices.Equal(got, want) {
			t.Errorf("entries %q, want %q", got, want)
		}
	}
	t.Run("control file", func(t *testing.T) {
		m := mount(t, s.URL("/made/"+textFile+".zsync"))
		onlyEntries(t, m, textFile)
		must(t, readcheck.Whole(pair(m, textFile)))
	})
	t.Run("index file", func(t *testing.T) {
		index := filepath.Join(folder(t), "index")
		text := "# two of them\n" + s.URL("/made/"+textFile+".zsync") + "\n\n" + s.URL("/zsyncmake/"+newTar+".zsync") + "\n"
		must(t, os.WriteFile(index, []byte(text), 0o644))
		m := daemon.Start(t, daemon.Options{Binary: binary(t), IndexFile: index})
		onlyEntries(t, m, newTar, textFile)
		must(t, readcheck.Whole(pair(m, textFile)))
		must(t, readcheck.Whole(pair(m, newTar)))
	})
}
