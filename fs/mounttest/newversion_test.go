package mounttest

import (
	"bufio"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/versions"
)

// TestNewVersionIsSeen: by stat and by new opens, through the kernel's caches,
// without the directory ever being listed; what is open stays with its version.
func TestNewVersionIsSeen(t *testing.T) {
	t.Parallel()
	needMount(t)
	p := publish(t, 1, "--refresh", "1s")
	path := p.Path(publishedName)
	held := map[int]*os.File{}
	inodes := map[uint64]int{}
	for version := 1; version <= 6; version++ {
		if version > 1 {
			must(t, p.Publish(version, version%2 == 0, func() {}))
		}
		eventually(t, fmt.Sprintf("version %d is seen", version), func() error {
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err != nil {
				return err
			}
			if other, ok := inodes[st.Ino]; ok {
				return fmt.Errorf("the inode of version %d", other)
			}
			if st.Size != versions.Length(version) {
				return fmt.Errorf("%d bytes", st.Size)
			}
			inodes[st.Ino] = version
			return nil
		})
		f, err := os.Open(path)
		must(t, err)
		defer f.Close()
		held[version] = f
		for round := range 3 { // from the server, from the kernel, from the store
			for v, f := range held {
				if got, err := readVersion(f); got != v || err != nil {
					t.Errorf("round %d with version %d in place: handle of version %d: %d, %v", round, version, v, got, err)
				}
				if round > 0 {
					must(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
				}
			}
		}
	}
	// By the name of an open file it is the same version still.
	for v, f := range held {
		again, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
		if err != nil {
			t.Errorf("version %d opened again: %v", v, err)
			continue
		}
		if got, err := readVersion(again); got != v || err != nil {
			t.Errorf("version %d opened again: %d, %v", v, got, err)
		}
		again.Close()
	}
}

// loader is the program that maps and starts the program at path: files in a mount
// have no permission to be executed.
func loader(t *testing.T, path string) string {
	t.Helper()
	f, err := elf.Open(path)
	must(t, err)
	defer f.Close()
	for _, s := range f.Progs {
		if s.Type == elf.PT_INTERP {
			name, err := io.ReadAll(s.Open())
			must(t, err)
			return string(bytes.TrimRight(name, "\x00"))
		}
	}
	t.Skipf("%s has no loader", path)
	return ""
}

// put makes dir/name and its control file copies of from, by renaming.
func put(t *testing.T, dir, name, from string) {
	t.Helper()
	staging := folder(t)
	made := filepath.Join(staging, name)
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(made, data, 0o644))
	must(t, fixture.Make(binary(t), made))
	must(t, os.Rename(made+".zsync", filepath.Join(dir, name+".zsync")))
	must(t, os.Rename(made, filepath.Join(dir, name)))
}

// TestRunningProgramIsReplaced: a program that runs from the mount, all of whose
// blocks were read, goes on when it is replaced, and when the server is gone too.
func TestRunningProgramIsReplaced(t *testing.T) {
	t.Parallel()
	needMount(t)
	needProgram(t, "dash", "bash")
	first, err := exec.LookPath("dash")
	must(t, err)
	second, err := exec.LookPath("bash")
	must(t, err)
	load := loader(t, first)
	dir := folder(t)
	put(t, dir, "sh", first)
	s := serve(t, dir)
	m := mount(t, s.URL("/"), "--refresh", "200ms", "--read-deadline", "3s")
	must(t, readcheck.Whole(readcheck.Pair{Got: m.Path("sh"), Want: first}))

	shell := exec.Command(load, m.Path("sh"))
	in, err := shell.StdinPipe()
	must(t, err)
	out, err := shell.StdoutPipe()
	must(t, err)
	must(t, shell.Start())
	lines := bufio.NewScanner(out)
	ask := func(command, want string) {
		t.Helper()
		_, err := io.WriteString(in, command+"\n")
		must(t, err)
		err = within(t, command, func() error {
			if !lines.Scan() || lines.Text() != want {
				return fmt.Errorf("%q, %v", lines.Text(), lines.Err())
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
	ask("echo begun", "begun")
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", shell.Process.Pid))
	if err != nil || !strings.Contains(string(maps), m.Path("sh")) {
		t.Fatalf("it does not run from the mount: %v\n%s", err, maps)
	}
	put(t, dir, "sh", second)
	eventually(t, "the new one is seen", func() error {
		return readcheck.Whole(readcheck.Pair{Got: m.Path("sh"), Want: second})
	})
	pageOut(shell.Process.Pid, string(maps), m.Path("sh"))
	ask("echo $((6 * 7))", "42")
	s.Stop()
	pageOut(shell.Process.Pid, string(maps), m.Path("sh"))
	ask(`set -- a b c; shift; case $1 in b) printf '%s-%03d\n' "$*" $#;; esac`, "b c-002")
	in.Close()
	if err := within(t, "the shell", shell.Wait); err != nil {
		t.Error(err)
	}
}

// pageOut has the kernel drop the pages of path that a process has mapped, as far
// as it does such things.
func pageOut(pid int, maps, path string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	for line := range strings.Lines(maps) {
		if !strings.Contains(line, path) {
			continue
		}
		var start, end uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
			continue
		}
		type iovec struct{ base, length uint64 }
		part := iovec{start, end - start}
		_, _, _ = unix.Syscall6(unix.SYS_PROCESS_MADVISE, uintptr(fd), uintptr(unsafe.Pointer(&part)), 1, unix.MADV_PAGEOUT, 0, 0)
	}
}

// TestRemoteIsGone: with artifact and control file removed, what was read is served
// to whoever has it open; what was not is ESTALE, and one line in the log. With the
// server down it is EIO.
func TestRemoteIsGone(t *testing.T) {
	t.Parallel()
	needMount(t)
	const length, read = 4 << 20, 8 << 10 // so little that nothing is fetched ahead
	dir := folder(t)
	content := fixture.Random(length, 3)
	for _, name := range []string{"removed", "unreachable"} {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, append([]byte(name), content...), 0o644))
		must(t, fixture.Make(binary(t), path))
	}
	s := serve(t, dir)
	m := mount(t, s.URL("/"), "--refresh", "200ms", "--read-deadline", "2s")
	open := func(name string) *os.File {
		f, err := os.Open(m.Path(name))
		must(t, err)
		t.Cleanup(func() { f.Close() })
		must(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM)) // no readahead
		return f
	}
	local := func(f *os.File, name string) {
		t.Helper()
		must(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
		got := make([]byte, read)
		if _, err := f.ReadAt(got, 0); err != nil || string(got) != name+string(content[:read-len(name)]) {
			t.Errorf("%s: what was read before: %v", name, err)
		}
	}
	elsewhere := func(f *os.File, want unix.Errno) {
		t.Helper()
		err := within(t, "a read that cannot be answered", func() error {
			_, err := f.ReadAt(make([]byte, 4096), length/2)
			return err
		})
		if !isErrno(err, want) {
			t.Errorf("%s: what was not read: %v, want %v", f.Name(), err, want)
		}
	}
	removed, unreachable := open("removed"), open("unreachable")
	local(removed, "removed")
	local(unreachable, "unreachable")
	must(t, os.Remove(filepath.Join(dir, "removed.zsync")))
	must(t, os.Remove(filepath.Join(dir, "removed")))
	for range 3 {
		local(removed, "removed")
		elsewhere(removed, unix.ESTALE)
	}
	eventually(t, "its name is gone", func() error {
		if _, err := os.Stat(m.Path("removed")); !os.IsNotExist(err) {
			return fmt.Errorf("stat: %v", err)
		}
		return nil
	})
	local(removed, "removed")
	s.Stop()
	local(removed, "removed")
	local(unreachable, "unreachable")
	elsewhere(unreachable, unix.EIO)
	oneLine(t, m.Log(), "path=removed", "ERROR", "stale file handle", "404")
	oneLine(t, m.Log(), "path=unreachable", "ERROR", "input/output error", "connection refused")
}

// oneLine wants one line in a log that has mark, and that it has the texts too.
func oneLine(t *testing.T, log, mark string, texts ...string) {
	t.Helper()
	var with []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, mark) {
			with = append(with, line)
		}
	}
	if len(with) != 1 {
		t.Errorf("%d lines have %s, want one:\n%s", len(with), mark, strings.Join(with, ""))
		return
	}
	for _, text := range texts {
		if !strings.Contains(with[0], text) {
			t.Errorf("not a word of %q: %s", text, with[0])
		}
	}
}
