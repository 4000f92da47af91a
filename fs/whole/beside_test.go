package whole

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLeftovers: what a killed export left is removed, and nothing else is.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	src, err := os.Create(path("src"))
	must(t, err)
	defer src.Close()
	must(t, src.Truncate(1000))

	const left = ".out.1b2c3d4e5f6a7.part"
	stay := []string{
		"out.1b2c3d4e5f6a7.part", ".out.1b2c3d4e5f6a7", ".out.part", ".out.tar.part", ".out.abcdefghijklm.part",
		".out.1b2c3d4e5f6a.part", ".out.1B2c3d4e5f6a7.part", ".out2.1b2c3d4e5f6a7.part", ".out.1b2c3d4e5f6a7.part.part",
	}
	for _, name := range append(stay, left) {
		must(t, os.WriteFile(path(name), []byte("x"), 0o600))
	}
	must(t, os.Symlink(path("src"), path(".out.2222222222222.part")))
	must(t, syscall.Mkfifo(path(".out.3333333333333.part"), 0o600))
	held, err := createLocked(path(".out.0000000000000.part"), 0o600)
	must(t, err)
	must(t, held.Close()) // the lock is another descriptor's
	stay = append(stay, "src", ".out.2222222222222.part", ".out.3333333333333.part", ".out.0000000000000.part", "out")

	export := func() {
		t.Helper()
		must(t, Export(context.Background(), src, 1000, path("out"), time.Time{}))
		for _, name := range stay {
			if _, err := os.Lstat(path(name)); err != nil {
				t.Error(err)
			}
		}
		if names, _ := os.ReadDir(dir); len(names) != len(stay) {
			t.Errorf("%d files, want %d: %v", len(names), len(stay), names)
		}
	}
	export()
	held.release()
	stay = stay[:len(stay)-2]
	stay = append(stay, "out")
	export()
}

// TestBesideIsHeld from its making until it is released, also when it has the
// target's name.
func TestBesideIsHeld(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, strings.Repeat("n", 255))
	b, err := makeBeside(out, 0o600)
	must(t, err)
	for range 2 {
		other, err := os.Open(b.Name())
		must(t, err)
		if err := tryLock(other); err != syscall.EWOULDBLOCK {
			t.Errorf("it is not held: %v", err)
		}
		other.Close()
		second, err := makeBeside(out, 0o600) // removes what nobody holds
		must(t, err)
		must(t, second.Close())
		second.release()
		b.Close() // the second time round it is closed
	}
	b.release()
	last, err := makeBeside(out, 0o600)
	must(t, err)
	defer last.release()
	defer last.Close()
	if names, _ := os.ReadDir(dir); len(names) != 1 || names[0].Name() != filepath.Base(last.Name()) {
		t.Errorf("%v", names)
	}
}

// TestBesideIsPrivate: who may not read the file that is replaced may not read the new one
// while it is made.
func TestBesideIsPrivate(t *testing.T) {
	for mode, want := range map[os.FileMode]os.FileMode{0o600: 0o600, 0o440: 0o640, 0o701: 0o600} {
		b, err := makeBeside(filepath.Join(t.TempDir(), "out"), mode)
		must(t, err)
		defer b.release()
		defer b.Close()
		if info, err := b.Stat(); err != nil || info.Mode()&^want != 0 {
			t.Errorf("%v beside one of %v: %v", info.Mode(), mode, err)
		}
	}
}

// TestCreateLocked: a file that was taken away before it was locked is no good.
func TestCreateLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	must(t, os.Remove(path))
	b := &beside{File: f}
	if err := b.hold(); err != errTaken {
		t.Error(err)
	}
	b.release()
}

func TestRandomPart(t *testing.T) {
	for range 1000 {
		if s := randomPart(); !isRandomPart(s) {
			t.Errorf("%q is not seen as one", s)
		}
	}
}
