package blockstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMakeFolder: what others could change is closed to them and told, or refused.
func TestMakeFolder(t *testing.T) {
	store := func(t *testing.T, mode fs.FileMode) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "store")
		s, err := Open(dir, Options{})
		if err == nil {
			err = errors.Join(s.Close(), os.Chmod(dir, mode))
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, tt := range []struct {
		name string
		make func(t *testing.T) string
		err  error
		told bool
	}{
		{"new", func(t *testing.T) string { return filepath.Join(t.TempDir(), "a", "b") }, nil, false},
		{"made by hand", func(t *testing.T) string {
			dir := t.TempDir()
			must(t, os.Chmod(dir, 0o755))
			return dir
		}, nil, false},
		{"readable", func(t *testing.T) string { return store(t, 0o750) }, nil, true},
		{"writable", func(t *testing.T) string { return store(t, 0o777) }, nil, true},
		{"link planted", func(t *testing.T) string {
			dir := store(t, 0o777)
			must(t, os.RemoveAll(filepath.Join(dir, versionsName)))
			must(t, os.Symlink(t.TempDir(), filepath.Join(dir, versionsName)))
			return dir
		}, ErrUnsafe, false},
		{"folder planted", func(t *testing.T) string {
			dir := store(t, 0o777)
			must(t, os.Chmod(filepath.Join(dir, versionsName), 0o777))
			return dir
		}, ErrUnsafe, false},
		{"hard link planted", func(t *testing.T) string {
			dir := store(t, 0o777)
			must(t, os.Link(filepath.Join(dir, lockName), filepath.Join(t.TempDir(), "precious")))
			return dir
		}, ErrUnsafe, false},
		{"parent open to all", func(t *testing.T) string {
			dir := store(t, 0o700)
			must(t, os.Chmod(filepath.Dir(dir), 0o777))
			return dir
		}, ErrUnsafe, false},
		{"parent like /tmp", func(t *testing.T) string {
			dir := store(t, 0o700)
			must(t, os.Chmod(filepath.Dir(dir), 0o777|fs.ModeSticky))
			return dir
		}, nil, false},
		{"link itself", func(t *testing.T) string {
			link := filepath.Join(t.TempDir(), "link")
			must(t, os.Symlink(store(t, 0o700), link))
			return link
		}, ErrUnsafe, false},
		{"no store", func(t *testing.T) string {
			dir := t.TempDir()
			must(t, os.Chmod(dir, 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "holiday.jpg"), nil, 0o600))
			return dir
		}, ErrNotStore, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, told := tt.make(t), ""
			before, _ := os.Stat(dir)
			err := MakeFolder(dir, Options{Warn: func(err error) { told += err.Error() }})
			if !errors.Is(err, tt.err) || (told != "") != tt.told {
				t.Errorf("error %v, told %q", err, told)
			}
			after, statErr := os.Stat(dir)
			must(t, statErr)
			switch {
			case err == nil && after.Mode().Perm() != 0o700:
				t.Errorf("mode %v", after.Mode())
			case errors.Is(err, ErrNotStore) && after.Mode() != before.Mode():
				t.Errorf("mode %v of what is no store", after.Mode())
			case errors.Is(err, ErrUnsafe) && !strings.Contains(err.Error(), filepath.Dir(dir)):
				t.Errorf("it does not say where: %v", err)
			}
			if again := MakeFolder(dir, Options{}); !errors.Is(again, tt.err) {
				t.Errorf("the next time: %v", again)
			}
		})
	}
}

// TestOtherOwners: what belongs to somebody else is refused, and links that he laid.
func TestOtherOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	const somebody = 1234
	root := t.TempDir()
	dir := filepath.Join(root, "his", "store")
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.Lchown(dir, somebody, somebody))
	if err := MakeFolder(dir, Options{}); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "1234") {
		t.Errorf("his folder: %v", err)
	}
	must(t, os.Lchown(dir, 0, 0))
	must(t, os.Lchown(filepath.Dir(dir), somebody, somebody))
	if err := MakeFolder(dir, Options{}); !errors.Is(err, ErrUnsafe) {
		t.Errorf("in his folder: %v", err)
	}

	link := filepath.Join(root, "link")
	must(t, os.Symlink(filepath.Join(root, "elsewhere"), link))
	if err := CheckLinks(filepath.Join(link, "store")); err != nil {
		t.Errorf("a link of one's own: %v", err)
	}
	must(t, os.Lchown(link, somebody, somebody))
	if err := CheckLinks(filepath.Join(link, "store")); !errors.Is(err, ErrUnsafe) {
		t.Errorf("a link of his: %v", err)
	}
	indirect := filepath.Join(root, "indirect")
	must(t, os.Symlink("link", indirect))
	if err := CheckLinks(indirect); !errors.Is(err, ErrUnsafe) {
		t.Errorf("a link to a link of his: %v", err)
	}
}
