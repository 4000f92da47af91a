package reuse

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// TestSeedFiles: of a folder, and behind a link, only what lies outside of what is avoided.
func TestSeedFiles(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"disk-1.img", "mnt/disk-2.img", "mnt2/disk-3.img"} {
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path(name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("mnt", path("link")); err != nil {
		t.Fatal(err)
	}
	f := &Finder{o: Options{Name: "disk-4.img", Control: &zsyncclient.Control{}, Avoid: func() []string { return []string{path("mnt")} }}}
	files, err := f.files(context.Background(), dir)
	if want := []string{path("disk-1.img"), path("mnt2/disk-3.img")}; err != nil || !slices.Equal(files, want) {
		t.Errorf("%v, %v", files, err)
	}
	f.o.Avoid = func() []string { return []string{path("disk-1.img"), path("mnt")} } // a file may be a mount point
	files, err = f.files(context.Background(), dir)
	if want := []string{path("mnt2/disk-3.img")}; err != nil || !slices.Equal(files, want) {
		t.Errorf("%v, %v", files, err)
	}
	for _, seed := range []string{"mnt", "mnt/disk-2.img", "link", "link/disk-2.img"} {
		if files, err := f.files(context.Background(), path(seed)); err == nil {
			t.Errorf("%s: %v", seed, files)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if files, err := f.files(ctx, dir); err == nil {
		t.Errorf("after the end: %v", files)
	}
}
