package faultydisk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	RunChild()
	os.Exit(m.Run())
}

// TestFaults: a file on the disk fails as it is told to, and is as it was afterwards.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no mounts")
	}
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil || os.Getuid() != 0 {
		t.Skip("needs root and /dev/fuse")
	} else {
		f.Close()
	}
	d := Start(t)
	path := filepath.Join(d.Dir, "file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	use := func() (read, write, sync, create error) {
		_, write = f.WriteAt([]byte("content"), 0)
		_, read = f.ReadAt(make([]byte, 7), 0)
		sync = f.Sync()
		create = os.Mkdir(filepath.Join(d.Dir, "folder"), 0o755)
		os.Remove(filepath.Join(d.Dir, "folder"))
		return
	}
	check := func(what string, got error, want unix.Errno) {
		t.Helper()
		if want == 0 && got != nil || want != 0 && !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	for _, want := range []Faults{{}, {Read: unix.EIO}, {Write: unix.EROFS}, {Write: unix.ENOSPC, Sync: unix.EIO}, {}} {
		d.Set(want)
		read, write, sync, create := use()
		check("read", read, want.Read)
		check("write", write, want.Write)
		check("sync", sync, want.Sync)
		check("mkdir", create, want.Write)
	}
}
