//go:build unix

package main

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// window bounds what may be on its way when a program is killed, in bytes: a few
// requests side by side, of which each hands on 256 KiB at a time.
const window = 1 << 20

// running is a program that has been started.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr bytes.Buffer // to be read when it has ended
	ended  chan struct{}
}

func start(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{t: t, cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &r.stderr
	must(t, cmd.Start())
	go func() {
		_ = cmd.Wait()
		close(r.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-r.ended
	})
	return r
}

// until waits for ready, and fails the test when the program ends before.
func (r *running) until(what string, ready func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(hang); !ready(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-r.ended:
			r.t.Fatalf("it ended before %s: %v\n%s", what, r.cmd.ProcessState, r.stderr.String())
		default:
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("no %s", what)
		}
	}
}

// untilEnded waits for ready, or for the program's end.
func (r *running) untilEnded(ready func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(hang); !ready(); {
		select {
		case <-r.ended:
			return
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			r.t.Fatal("it neither ends nor goes on")
		}
	}
}

func (r *running) signal(s os.Signal) {
	r.t.Helper()
	_ = r.cmd.Process.Signal(s)
	select {
	case <-r.ended:
	case <-time.After(hang):
		r.t.Fatalf("%v does not end it", s)
	}
}

// onDisk is how many bytes of the disk path takes.
func onDisk(path string) int64 {
	var stat syscall.Stat_t
	if syscall.Stat(path, &stat) != nil {
		return 0
	}
	return int64(stat.Blocks) * 512
}

// A program that is killed while it fetches one long run.
func TestKilledWhileFetching(t *testing.T) {
	t.Parallel()
	s := newSite(t, noise(12<<20, 1))
	s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Stall, After: 5 << 20})
	dir := folder(t)
	part := filepath.Join(dir, "t.dat.part")
	r := start(t, ours(t, dir, s.url()))
	r.until("the .part grows", func() bool { return onDisk(part) > 4<<20 })
	r.signal(syscall.SIGKILL)
	wantListed(t, dir, "t.dat.part")
	s.ClearRules()
	s.sent()
	zsyncIn(t, dir, s.url()).wants(t, 0)
	s.made(filepath.Join(dir, "t.dat"))
	wantListed(t, dir, "t.dat")
	if n := s.sent(); n > 7<<20+window {
		t.Errorf("%d bytes were sent again, want at most 7 MiB and a window", n)
	}
}

// A program that is killed again and again while it fetches scattered blocks.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, noise(16<<20, 2))
	old := bytes.Clone(s.target)
	r := rand.New(rand.NewPCG(3, 4))
	changed := map[int]bool{}
	for range 5000 {
		block := r.IntN(len(old) / 1024)
		changed[block] = true
		old[block*1024+r.IntN(1024)] ^= 1
	}
	dir := folder(t)
	write(t, filepath.Join(dir, "t.dat"), old)
	s.SetRate(8e6)
	kills := 0
	for most := int64(1 << 20); ; most += 1 << 20 {
		run := start(t, ours(t, dir, s.url()))
		run.untilEnded(func() bool { return s.Bytes("/t.dat") >= most })
		run.signal(syscall.SIGKILL)
		if run.cmd.ProcessState.Success() {
			break
		}
		kills++
	}
	s.made(filepath.Join(dir, "t.dat"))
	wantListed(t, dir, "t.dat", "t.dat.zs-old")
	// Each part of an answer has a frame of about 120 bytes.
	if n, most := s.sent(), int64(len(changed))*(1024+150)+int64(kills)*window; n > most || kills < 3 {
		t.Errorf("%d bytes sent for %d blocks with %d kills, want at most %d", n, len(changed), kills, most)
	}
}

// A program that is killed while it scans.
func TestKilledWhileScanning(t *testing.T) {
	t.Parallel()
	target := noise(24<<20, 5)
	s := newSite(t, target)
	dir := folder(t)
	old := append([]byte("shifted"), target...)
	copy(old[10<<20:], "changed")
	write(t, filepath.Join(dir, "t.dat"), old)
	part := filepath.Join(dir, "t.dat.part")
	for _, least := range []int64{1, 4 << 20, 8 << 20} {
		r := start(t, ours(t, dir, s.url()))
		r.until("it scans", func() bool {
			select {
			case <-r.ended: // it was quicker
				return true
			default:
				return onDisk(part) >= least
			}
		})
		r.signal(syscall.SIGKILL)
	}
	zsyncIn(t, dir, s.url()).wants(t, 0)
	s.made(filepath.Join(dir, "t.dat"))
	if n := s.sent(); n > window {
		t.Errorf("%d bytes sent for two blocks", n)
	}
}

// The first signal ends the program in good order, and what is here is kept.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for sig, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		s := newSite(t, noise(4<<20, 6))
		s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Stall, After: 2 << 20})
		dir := folder(t)
		part := filepath.Join(dir, "t.dat.part")
		r := start(t, ours(t, dir, s.url()))
		r.until("the .part grows", func() bool { return onDisk(part) > 1<<20 })
		r.signal(sig)
		text := r.stderr.String()
		if got := r.cmd.ProcessState.ExitCode(); got != code || !strings.Contains(text, "error: ended by a signal: ") ||
			!strings.Contains(text, "hint: run zsync again to go on: what is here is kept in t.dat.part\n") {
			t.Errorf("%v: exit code %d\n%s", sig, got, text)
		}
		wantListed(t, dir, "t.dat.part")
		s.ClearRules()
		s.sent()
		zsyncIn(t, dir, s.url()).wants(t, 0)
		s.made(filepath.Join(dir, "t.dat"))
		if n := s.sent(); n > 2<<20+window {
			t.Errorf("%d bytes were sent again", n)
		}
	}
}

// A server whose answers all break off before a block is whole is given up, however
// much it sends, and is asked ever more seldom until then.
func TestNoBlockIsEverWhole(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string]bool{"ranges": false, "a stream": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, noise(4<<20, 12), func(o *format.BuilderOptions) { o.BlockSize = 1 << 20 })
			s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Reset, After: 1 << 19, Whole: whole})
			dir := folder(t)
			zsyncIn(t, dir, s.url()).wants(t, 2, "no block arrived for 10s: ")
			wantListed(t, dir)
			if n := s.Count("/t.dat"); n > 40 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A signal ends the program also while it waits for the other end of a pipe.
func TestSignalAtPipe(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	pipe := filepath.Join(dir, "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	r := start(t, ours(t, dir, "pipe"))
	f, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when the program reads
	must(t, err)
	defer f.Close()
	must(t, r.cmd.Process.Signal(syscall.SIGINT))
	<-r.ended
	if code := r.cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d\n%s", code, r.stderr.String())
	}
}

// A control file may come through a pipe.
func TestControlFileFromPipe(t *testing.T) {
	t.Parallel()
	s := newSite(t, noise(100_000, 7))
	dir := folder(t)
	pipe := filepath.Join(dir, "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	go os.WriteFile(pipe, control(t, s.target), 0)
	zsyncIn(t, dir, "-u", s.url(), "-o", "t.dat", "pipe").wants(t, 0)
	s.made(filepath.Join(dir, "t.dat"))
}

// Of two runs at once the second one says so and leaves the first one alone.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, noise(4<<20, 8))
	s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Stall, After: 2 << 20, Times: 1})
	dir := folder(t)
	part := filepath.Join(dir, "t.dat.part")
	r := start(t, ours(t, dir, s.url()))
	r.until("the .part grows", func() bool { return onDisk(part) > 1<<20 })
	zsyncIn(t, dir, s.url()).wants(t, 2, "t.dat.part: another process is downloading to this file", "hint: wait for it")
	zsyncIn(t, dir, "-o", "other", s.url()).wants(t, 0)
	s.made(filepath.Join(dir, "other"))
	wantListed(t, dir, "other", "t.dat.part")
	r.signal(syscall.SIGKILL)
	zsyncIn(t, dir, s.url()).wants(t, 0)
	s.made(filepath.Join(dir, "t.dat"))
}

// Pipes and links in odd places.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, noise(100_000, 9))
	dir := folder(t)
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	zsyncIn(t, dir, "-i", "pipe", "-k", "kept", s.url()).wants(t, 0, "warning: seed not used: pipe: not a regular file")
	s.made(filepath.Join(dir, "t.dat"))
	zsyncIn(t, dir, "-o", "pipe", s.url()).wants(t, 2, "pipe: not a regular file", "hint: choose another file with -o")
	must(t, os.Symlink("t.dat", filepath.Join(dir, "link")))
	zsyncIn(t, dir, "-o", "link", "--force-update", s.url()).wants(t, 0)
	s.made(filepath.Join(dir, "link"))
	if to, err := os.Readlink(filepath.Join(dir, "link.zs-old")); to != "t.dat" || err != nil {
		t.Errorf("link.zs-old leads to %q, %v", to, err)
	}
	wantListed(t, dir, "kept", "link", "link.zs-old", "pipe", "t.dat")
}

// Whatever keeps the file from being made has code 2, and a hint on what is kept.
func TestTooManySetAside(t *testing.T) {
	t.Parallel()
	s := newSite(t, noise(100_000, 9))
	dir := folder(t)
	write(t, filepath.Join(dir, "t.dat.part"), noise(200_000, 10))
	for _, ending := range []string{"", ".1", ".2", ".3", ".4", ".5", ".6", ".7", ".8"} {
		write(t, filepath.Join(dir, "t.dat.part.old"+ending), nil)
	}
	zsyncIn(t, dir, s.url()).wants(t, 2, "remove them", "hint: run zsync again")
}

// Progress comes line by line while the program runs, not at its end.
func TestProgressComesEarly(t *testing.T) {
	t.Parallel()
	s := newSite(t, noise(4<<20, 10))
	s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.StallHeader})
	cmd := ours(t, folder(t), "--progress=json", s.url())
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, `{"step":"fetching","name":"http://127.0.0.1:`) {
		t.Errorf("%q, %v", line, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// What was fetched of one version serves the next one, and nothing is left over.
func TestPartOfAnotherVersion(t *testing.T) {
	t.Parallel()
	s := newSite(t, noise(8<<20, 11))
	first := s.target
	s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Stall, After: 5 << 20})
	dir := folder(t)
	part := filepath.Join(dir, "t.dat.part")
	r := start(t, ours(t, dir, s.url()))
	r.until("the .part grows", func() bool { return onDisk(part) > 4<<20 })
	r.signal(syscall.SIGKILL)
	s.ClearRules()
	s.publish(append([]byte("a new beginning"), first...))
	s.sent()
	zsyncIn(t, dir, s.url()).wants(t, 0)
	s.made(filepath.Join(dir, "t.dat"))
	wantListed(t, dir, "t.dat")
	if n := s.sent(); n > 3<<20+window {
		t.Errorf("%d bytes were sent", n)
	}
}
