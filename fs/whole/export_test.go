package whole

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

func TestExport(t *testing.T) {
	data := randomBytes(1, 300_000)
	dir := t.TempDir()
	src, err := os.Create(filepath.Join(dir, "src"))
	must(t, err)
	defer src.Close()
	_, err = src.WriteAt(data, 5<<20) // behind a hole
	must(t, err)
	want := append(make([]byte, 5<<20), data...)
	must(t, src.Truncate(8<<20)) // and before one, longer than the target
	want = append(want, make([]byte, 1<<20+1)...)
	modified := time.Unix(1_700_000_000, 0)

	out := filepath.Join(dir, "sub", "out")
	if err := Export(context.Background(), src, int64(len(want)), out, modified); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	must(t, os.Mkdir(filepath.Dir(out), 0o700))
	link := filepath.Join(dir, "link")
	must(t, os.Symlink("sub/out", link))
	check := func(path string) os.FileInfo {
		t.Helper()
		must(t, Export(context.Background(), src, int64(len(want)), path, modified))
		got, err := os.ReadFile(path)
		must(t, err)
		info, err := os.Stat(path)
		must(t, err)
		if !bytes.Equal(got, want) || !info.ModTime().Equal(modified) {
			t.Errorf("%d bytes of %d, of %v", len(got), len(want), info.ModTime())
		}
		names, _ := os.ReadDir(filepath.Dir(path))
		for _, n := range names {
			if filepath.Ext(n.Name()) == ".part" {
				t.Errorf("left: %s", n.Name())
			}
		}
		return info
	}
	info := check(out)
	if st, ok := info.Sys().(*unix.Stat_t); ok && st.Blocks*512 > 2<<20 {
		t.Errorf("holes were filled: %d bytes on the disk", st.Blocks*512)
	}
	must(t, os.WriteFile(out, []byte("old"), 0o600))
	must(t, os.Chmod(out, 0o741))
	if info := check(link); info.Mode().Perm() != 0o741 {
		t.Errorf("mode %v", info.Mode())
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", info, err)
	}
}

func TestExportThatFails(t *testing.T) {
	dir := t.TempDir()
	src, err := os.Create(filepath.Join(dir, "src"))
	must(t, err)
	defer src.Close()
	must(t, src.Truncate(100))
	out := filepath.Join(dir, "out")
	must(t, os.WriteFile(out, []byte("old"), 0o600))
	if err := Export(context.Background(), src, 100, dir, time.Time{}); !errors.Is(err, download.ErrNotRegular) {
		t.Errorf("onto a folder: %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	left := errors.New("the user left")
	cancel(left)
	if _, err := src.WriteAt([]byte("data"), 0); err != nil {
		t.Fatal(err)
	}
	if err := copyRange(ctx, src, src, 0, 4); !errors.Is(err, left) {
		t.Errorf("cancelled: %v", err)
	}
	if err := copyRange(context.Background(), src, src, 50, 200); err == nil {
		t.Error("a source that is too short")
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("left: %v", names)
	}
}
