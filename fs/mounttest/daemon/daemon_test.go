package daemon

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestCommand(t *testing.T) {
	r := Command(t, exec.Command("sh", "-c", "echo out; echo err >&2; exit 3"))
	if r.Output != "out\n" || r.Errors != "err\n" || r.Code != 3 {
		t.Errorf("got %v", r)
	}
}

func TestProcesses(t *testing.T) {
	mark := marker()
	cmd := exec.Command("sleep", "1000")
	cmd.Env = append(os.Environ(), mark)
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	pid := cmd.Process.Pid
	if got := withEnvironment(mark); len(got) != 1 || got[0] != pid {
		t.Errorf("processes %v, want %d", got, pid)
	}
	if waitEnd(pid, time.Millisecond) {
		t.Error("waitEnd before the end")
	}
	if n, err := PeakMemory(pid); err != nil || n <= 0 {
		t.Errorf("PeakMemory: %d, %v", n, err)
	}
	if err := signal(pid, unix.SIGKILL); err != nil {
		t.Error(err)
	}
	// It has ended although nobody has waited for it yet.
	if !waitEnd(pid, patience) {
		t.Error("waitEnd after the end")
	}
	if got := withEnvironment(mark); len(got) != 0 {
		t.Errorf("processes %v after the end", got)
	}
	_ = cmd.Wait()
	if !waitEnd(pid, patience) || signal(pid, unix.SIGKILL) != nil {
		t.Error("a process that is gone")
	}
}

func TestMounted(t *testing.T) {
	if !Mounted("/proc") || Mounted(t.TempDir()) {
		t.Error("Mounted is wrong")
	}
}

func TestArgs(t *testing.T) {
	m := &Mount{Dir: "/m", CacheDir: "/c", options: Options{Source: "http://h/", Flags: []string{"--verbose"}}}
	if got := strings.Join(m.Args("-f"), " "); got != "mount --cache-dir /c --verbose -f http://h/ /m" {
		t.Error(got)
	}
	m.options.IndexFile = "i"
	if got := strings.Join(m.Args(), " "); got != "mount --cache-dir /c --verbose --index-file i /m" {
		t.Error(got)
	}
}
