//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// small mounts a disk of size bytes until the end of the test.
func small(t *testing.T, size int64) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("this test needs root")
	}
	dir := folder(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A full disk ends the run; with more room the next one goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := small(t, 6<<20)
	s := newSite(t, noise(10<<20, 1))
	zsyncIn(t, dir, s.url()).wants(t, 2, "no space left on device",
		"hint: make room on the disk; run zsync again to go on: what is here is kept in t.dat.part")
	wantListed(t, dir, "t.dat.part")
	zsyncIn(t, dir, s.url()).wants(t, 2, "no space left on device")
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", 16<<20)))
	s.sent()
	zsyncIn(t, dir, s.url()).wants(t, 0)
	s.made(filepath.Join(dir, "t.dat"))
	if n := s.sent(); n > 4<<20+window {
		t.Errorf("%d bytes were sent again", n)
	}
}

// Seeds fill a disk, too.
func TestFullDiskBySeed(t *testing.T) {
	t.Parallel()
	dir := small(t, 3<<20)
	s := newSite(t, noise(4<<20, 2))
	seed := filepath.Join(folder(t), "seed")
	write(t, seed, s.target)
	zsyncIn(t, dir, "-i", seed, s.url()).wants(t, 2, "no space left on device", "kept in t.dat.part")
	if n := s.sent(); n != 0 {
		t.Errorf("%d bytes were fetched", n)
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := small(t, 1<<20)
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	s := newSite(t, noise(1000, 3))
	zsyncIn(t, dir, s.url()).wants(t, 2, "t.dat.part: read-only file system")
	if n := s.sent(); n != 0 {
		t.Errorf("%d bytes were fetched", n)
	}
}
