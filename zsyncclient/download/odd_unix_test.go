//go:build unix

package download

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Names that are taken by something else are refused before anything is fetched.
func TestOddNames(t *testing.T) {
	mkdir := func(path string) error { return os.Mkdir(path, 0o755) }
	fifo := func(path string) error { return syscall.Mkfifo(path, 0o600) }
	link := func(path string) error { return os.Symlink("elsewhere", path) }
	for _, tt := range []struct {
		name string
		make func(string) error
	}{
		{"t.dat", mkdir}, {"t.dat", fifo},
		{"t.dat.part", mkdir}, {"t.dat.part", fifo}, {"t.dat.part", link},
		{"t.dat.zs-old", mkdir}, {"t.dat.zs-old", fifo},
	} {
		f := newFixture(t, noise(10*blockSize, 1))
		names := []string{tt.name}
		if tt.name == "t.dat.zs-old" {
			f.put("t.dat", []byte("old"))
			names = append(names, "t.dat")
		}
		if err := tt.make(f.path(tt.name)); err != nil {
			t.Fatal(err)
		}
		r, err := f.fails(t.Context())
		if !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), tt.name) {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
		f.holds(names...)
		if n := f.sent(); n != 0 {
			t.Errorf("%s: %d bytes fetched", tt.name, n)
		}
	}
}

// A symbolic link is replaced; what it leads to is a seed and stays as it is.
func TestLinkAtPath(t *testing.T) {
	target := noise(50*blockSize, 2)
	f := newFixture(t, target)
	old := f.put("real", edited(target, 4))
	if err := os.Symlink("real", f.path("t.dat")); err != nil {
		t.Fatal(err)
	}
	if r := f.run([]string{"real", "t.dat.zs-old"}); r.Fetched != blockSize {
		t.Errorf("%+v", r)
	}
	if data, _ := os.ReadFile(old); bytes.Equal(data, target) {
		t.Error("the file behind the link was replaced")
	}
	if mode(t, f.path("t.dat.zs-old"))&fs.ModeSymlink == 0 || !mode(t, f.path("t.dat")).IsRegular() {
		t.Error("the link is not at .zs-old")
	}
	dangling := newFixture(t, target)
	if err := os.Symlink("nothing", dangling.path("t.dat")); err != nil {
		t.Fatal(err)
	}
	dangling.run([]string{"t.dat.zs-old"})
}

// A pipe given as a seed does not block.
func TestPipeAsSeed(t *testing.T) {
	f := newFixture(t, noise(10*blockSize, 3))
	if err := syscall.Mkfifo(f.path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.run([]string{"pipe"}, seeds(f.path("pipe")))
	if warned := f.warnings(); !strings.Contains(warned, "pipe: not a regular file") {
		t.Error(warned)
	}
}

func TestModeOfNewFile(t *testing.T) {
	f := newFixture(t, noise(10*blockSize, 4))
	defer syscall.Umask(syscall.Umask(0o027))
	f.run(nil)
	if m := mode(t, f.path("t.dat")); m != 0o640 {
		t.Errorf("mode %v", m)
	}
}

func TestFolderCannotBeWritten(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	f := newFixture(t, noise(10*blockSize, 5))
	if err := os.Chmod(f.dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if _, err := f.fails(t.Context()); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	f.holds()
}

// TestModes: a file that replaces another gets its permissions, and Path.part can
// be written to until then; a new one is a program if its first seed is.
func TestModes(t *testing.T) {
	old := noise(20*blockSize, 1)
	for _, test := range []struct {
		name          string
		at, seed      fs.FileMode // 0: not there
		want, without fs.FileMode
	}{
		{"read-only", 0o444, 0, 0o444, 0},
		{"program", 0o755, 0, 0o755, 0},
		{"program as seed", 0, 0o755, 0o100, 0},
		{"seed", 0, 0o644, 0, 0o111},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, edited(old, 3))
			var beside []string
			var changes []func(*Options)
			if test.at != 0 {
				f.put("t.dat", old)
				if err := os.Chmod(f.path("t.dat"), test.at); err != nil {
					t.Fatal(err)
				}
				beside = append(beside, "t.dat.zs-old")
			}
			if test.seed != 0 {
				if err := os.Chmod(f.put("old", old), test.seed); err != nil {
					t.Fatal(err)
				}
				beside, changes = append(beside, "old"), append(changes, seeds(f.path("old")))
			}
			f.run(beside, changes...)
			got := mode(t, f.path("t.dat")).Perm()
			if got&test.want != test.want || got&test.without != 0 || test.at != 0 && got != test.at {
				t.Errorf("mode %o", got)
			}
		})
	}
}

// TestPartIsPrivate: who may not read the file that is replaced may not read what comes.
func TestPartIsPrivate(t *testing.T) {
	f := newFixture(t, noise(10*blockSize, 4))
	if err := os.Chmod(f.put("t.dat", noise(10*blockSize, 5)), 0o600); err != nil {
		t.Fatal(err)
	}
	d := f.download()
	if err := d.openPart(); err != nil {
		t.Fatal(err)
	}
	defer d.closePart()
	if m := mode(t, f.path("t.dat.part")); m != 0o600 {
		t.Errorf("mode %v", m)
	}
}

// TestPartWithSecondName: what somebody keeps under another name is not written to.
func TestPartWithSecondName(t *testing.T) {
	old := noise(20*blockSize, 1)
	f := newFixture(t, edited(old, 3))
	if err := os.Link(f.put("kept", old), f.path("t.dat.part")); err != nil {
		t.Fatal(err)
	}
	f.run([]string{"kept"})
	if got := f.read("kept"); !bytes.Equal(got, old) {
		t.Error("the file was changed under its other name")
	}
}
