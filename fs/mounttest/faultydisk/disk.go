package faultydisk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Faults say which calls fail, and how; 0: they do not.
type Faults struct {
	// Read is the error of reads of files.
	Read unix.Errno
	// Write is the error of writes of files, and of all that makes, renames or removes
	// names or gives room back.
	Write unix.Errno
	// Sync is the error of fsync and fdatasync.
	Sync unix.Errno
}

// Disk is a disk that is mounted.
type Disk struct {
	// Dir is the mount point.
	Dir string

	t     testing.TB
	stdin *os.File
	out   *os.File
}

// patience bounds how long the disk may take to answer; it is no measure of speed.
const patience = time.Minute

// Start mounts a disk without faults until the end of the test.
func Start(t testing.TB) *Disk {
	t.Helper()
	base, err := os.MkdirTemp("", "faultydisk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	dir, behind := filepath.Join(base, "disk"), filepath.Join(base, "behind")
	for _, d := range []string{dir, behind} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	input, stdin, err1 := os.Pipe()
	out, output, err2 := os.Pipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childVariable+"="+dir+"\n"+behind)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, output, os.Stderr
	err = cmd.Start()
	input.Close()
	output.Close()
	if err != nil {
		t.Fatal(err)
	}
	d := &Disk{Dir: dir, t: t, stdin: stdin, out: out}
	t.Cleanup(func() {
		stdin.Close() // it ends then
		if unix.Unmount(dir, unix.MNT_DETACH) != nil {
			_ = exec.Command("fusermount3", "-u", "-z", dir).Run()
		}
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_ = cmd.Wait()
		out.Close()
	})
	d.answer() // it is mounted
	return d
}

// Set has the faults in force when it returns, in place of those before.
func (d *Disk) Set(f Faults) {
	d.t.Helper()
	if _, err := fmt.Fprintln(d.stdin, int(f.Read), int(f.Write), int(f.Sync)); err != nil {
		d.t.Fatal(err)
	}
	d.answer()
}

// answer waits for the process behind the disk to say that it has done something.
func (d *Disk) answer() {
	d.t.Helper()
	late := time.AfterFunc(patience, func() { d.out.Close() })
	defer late.Stop()
	p := make([]byte, 256)
	n, err := d.out.Read(p)
	if text := strings.TrimSpace(string(p[:n])); err != nil || text != "done" {
		d.t.Fatalf("the faulty disk says %q, %v", text, err)
	}
}
