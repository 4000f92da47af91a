package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/oldzsync"
)

// The first zsyncmake on the PATH is ours: testscript sees to that.
var findMaker = sync.OnceValues(func() (string, error) { return oldzsync.Find("zsyncmake", "0.6.2") })

// oldMaker is the path of a zsyncmake 0.6.2 on this machine.
func oldMaker(t *testing.T) string {
	t.Helper()
	path, err := findMaker()
	if err != nil {
		t.Skip("nothing to compare with: ", err)
	}
	return path
}

// both runs the old zsyncmake and ours in the current folder with the same
// arguments, and compares the control file that each leaves at control, or with
// "" what it prints. Ours runs within the test, which saves many processes.
func both(t *testing.T, old, control string, stdin []byte, args ...string) {
	t.Helper()
	output := func(run func(stdin, stdout, stderr *os.File) error) []byte {
		t.Helper()
		dir := t.TempDir()
		file := func(name string, data []byte) *os.File {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		in, out, errs := file("stdin", stdin), file("stdout", nil), file("stderr", nil)
		defer func() { in.Close(); out.Close(); errs.Close() }()
		if err := run(in, out, errs); err != nil {
			message, _ := os.ReadFile(errs.Name())
			t.Fatalf("%q: %v\n%s", args, err, message)
		}
		path := control
		if control == "" {
			path = out.Name()
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return data
	}
	want := output(func(stdin, stdout, stderr *os.File) error {
		cmd := exec.Command(old, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
		return cmd.Run()
	})
	got := output(func(stdin, stdout, stderr *os.File) error {
		if code := run(append([]string{"--compat=0.6.2"}, args...), stdin, stdout, stderr); code != 0 {
			return fmt.Errorf("exit code %d", code)
		}
		return nil
	})
	if !bytes.Equal(got, want) {
		head, _, _ := bytes.Cut(want, []byte("\n\n"))
		mine, _, _ := bytes.Cut(got, []byte("\n\n"))
		t.Errorf("%q: %d bytes, want %d; headers\n%s\n---\n%s", args, len(got), len(want), mine, head)
	}
}

// With --compat=0.6.2 the control files are those of 0.6.2, byte for byte.
func TestSameAsOldMaker(t *testing.T) {
	old := oldMaker(t)
	dir := t.TempDir()
	t.Chdir(dir)
	if err := sampleFiles(dir); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args    []string
		control string
		stdin   []byte
	}{
		{[]string{"a"}, "a.zsync", nil},
		{[]string{"-v", "sub/b"}, "b.zsync", nil},
		{[]string{"./sub/../a", "-e"}, "a.zsync", nil},
		{[]string{"a b"}, "a b.zsync", nil},
		{[]string{"-u", "http://h/x y", "a"}, "a.zsync", nil},
		{[]string{"--", "-dash"}, "-dash.zsync", nil},
		{[]string{"-eC", "empty"}, "empty.zsync", nil},
		{[]string{"-U", "U1", "-u", "u1", "-U", "U2", "-u", "u2", "a"}, "a.zsync", nil},
		{[]string{"-UU1", "a"}, "a.zsync", nil},
		{[]string{"-f", "sub/name", "a"}, "sub/name.zsync", nil},
		{[]string{"-o", "sub/out", "-f", "name", "a"}, "sub/out", nil},
		{[]string{"-b", "512", "-b", "1024", "a"}, "a.zsync", nil},
		{[]string{"-b0", "a"}, "a.zsync", nil},
		{[]string{"-Z", "g.gz"}, "g.gz.zsync", nil},
		{[]string{"-Z", "-e", "-C", "-U", "plain", "g.gz"}, "g.gz.zsync", nil},
		{nil, "", noise(10000)},
		{nil, "", []byte{0x1f}},
		{[]string{"-u", "u"}, "", noise(4096)},
		{[]string{"-f", "name", "-U", "x"}, "name.zsync", noise(1)},
		{[]string{"-o", "out"}, "out", noise(5)},
		{[]string{"-Z"}, "", gzipped(noise(100))},
		{[]string{"/dev/null"}, "null.zsync", nil},
	} {
		both(t, old, tt.control, tt.stdin, tt.args...)
	}
}

// The same over lengths around every border: of blocks, of the lengths of
// checksums, of the default block size.
func TestSameAsOldMakerLengths(t *testing.T) {
	old := oldMaker(t)
	t.Chdir(t.TempDir())
	path := "x"
	r := rand.New(rand.NewPCG(1, 2))
	var lengths []int
	for shift := range 23 {
		n := 1 << shift
		lengths = append(lengths, n-1, n, n+1, n+r.IntN(n))
	}
	blocks := []string{"0", "512", "4096", "0", "1024", "65536", "0"} // no divisor of 4, so that all meet
	for i, n := range lengths {
		if err := os.WriteFile(path, noise(n), 0o644); err != nil {
			t.Fatal(err)
		}
		both(t, old, "x.zsync", nil, "-b", blocks[i%len(blocks)], "-u", "u", "x")
	}
	both(t, old, "x.zsync", nil, "-b", "16777216", "-u", "u", "x")
}

// Around 100 million bytes the default block size changes; more than 2^32 bytes
// in the checksums' lengths is covered by package format.
func TestSameAsOldMakerLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("files of 100 MB, in -short mode")
	}
	old := oldMaker(t)
	t.Chdir(t.TempDir())
	path := "x"
	data := bytes.Repeat(noise(1000003), 101)
	for _, n := range []int{99_999_999, 100_000_000} {
		if err := os.WriteFile(path, data[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		both(t, old, "x.zsync", nil, "x")
	}
	both(t, old, "", data[:100_000_001], "-u", "u")
}

// The old zsync takes our default, and verifies by it.
func TestOldClientAccepts(t *testing.T) {
	old, err := oldzsync.Find("zsync", "0.6")
	if err != nil {
		t.Skip("nothing to try with: ", err)
	}
	dir := t.TempDir()
	for _, n := range []int{1, 2048, 5000, 300000} {
		name := fmt.Sprintf("x%d", n)
		data := noise(n)
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		ours := ourProgram(t, dir, "-u", "http://127.0.0.1:9/nothing", name)
		if out, err := ours.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, "seed")); err != nil {
			t.Fatal(err)
		}
		// All of it is in the seed, so nothing is fetched.
		client := exec.Command(old, "-i", "seed", name+".zsync")
		client.Dir = dir
		out, err := client.CombinedOutput()
		got, _ := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(out), "checksum matches OK") || !slices.Equal(got, data) {
			t.Errorf("%d bytes: %v, got %d\n%s", n, err, len(got), out)
		}
	}
}
