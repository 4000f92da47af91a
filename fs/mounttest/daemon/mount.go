package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Options of a mount. Binary and Source (or IndexFile) are required.
type Options struct {
	// Binary is the program.
	Binary string
	// Source is the URL to mount.
	Source string
	// IndexFile is given with --index-file instead of a Source.
	IndexFile string
	// Dir is the mount point; default: a new folder.
	Dir string
	// CacheDir is the store; default: a new folder.
	CacheDir string
	// Flags are more flags of "zsyncfs mount".
	Flags []string
	// Credential is the user that mounts; default: the test's own.
	Credential *syscall.Credential
	// Environment is added to the test's own: "NAME=value".
	Environment []string
	// Wrap begins the command line of all programs, as nsenter's to run them elsewhere.
	Wrap []string
}

// Mount is a mount that a test made.
type Mount struct {
	// Dir is the mount point, CacheDir the store.
	Dir, CacheDir string

	t       testing.TB
	options Options
	marker  string // environment entry of all its processes
	reports string // where the race detector writes
}

var mounts atomic.Int64

// marker is an environment entry that no other mount of any test process has.
// The number is in the name, so that entries add up: processes of a test that a
// test runs as its child have both, and the outer one ends them too.
func marker() string {
	return fmt.Sprintf("ZSYNCFS_MOUNTTEST_%d_%d=1", os.Getpid(), mounts.Add(1))
}

// FUSE says why nothing can be mounted here; nil when it can.
func FUSE() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("FUSE is not usable: %w", err)
	}
	f.Close()
	if _, err := exec.LookPath("fusermount3"); err != nil {
		return fmt.Errorf("fusermount3 is not installed")
	}
	return nil
}

// folder makes a new folder that every user may pass, gone after the test.
func folder(t testing.TB, name string, owner *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// New prepares a mount without making it, and its cleaning-up: when the test
// has failed the daemon's log is printed; then whatever is still mounted or
// running is ended. The test is skipped where FUSE is missing.
func New(t testing.TB, o Options) *Mount {
	t.Helper()
	if err := FUSE(); err != nil && o.Credential == nil {
		t.Skip(err)
	}
	m := &Mount{t: t, options: o, Dir: o.Dir, CacheDir: o.CacheDir, marker: marker()}
	m.reports = folder(t, "race", o.Credential)
	if m.Dir == "" {
		m.Dir = folder(t, "mnt", o.Credential)
	}
	if m.CacheDir == "" {
		m.CacheDir = filepath.Join(folder(t, "store", o.Credential), "cache")
	}
	t.Cleanup(m.clean)
	return m
}

// Start makes a mount and fails the test when that fails.
func Start(t testing.TB, o Options) *Mount {
	t.Helper()
	m := New(t, o)
	if r := m.Try(); r.Code != 0 {
		t.Fatalf("zsyncfs mount: %v", r)
	}
	if !Mounted(m.Dir) {
		t.Fatalf("zsyncfs mount ended well, but %s is not mounted", m.Dir)
	}
	return m
}

// Args is the command line of the mount without the program, with more flags.
func (m *Mount) Args(more ...string) []string {
	args := append([]string{"mount", "--cache-dir", m.CacheDir}, m.options.Flags...)
	args = append(args, more...)
	if m.options.IndexFile != "" {
		return append(args, "--index-file", m.options.IndexFile, m.Dir)
	}
	return append(args, m.options.Source, m.Dir)
}

// Command is a command of the program with the mount's user and environment.
func (m *Mount) Command(args ...string) *exec.Cmd {
	return m.Program(m.options.Binary, args...)
}

// Program is any program with the mount's user and environment.
func (m *Mount) Program(name string, args ...string) *exec.Cmd {
	line := append(append(slices.Clone(m.options.Wrap), name), args...)
	cmd := exec.Command(line[0], line[1:]...)
	// By default the race detector has every program wait for a second at its end.
	cmd.Env = append(os.Environ(), m.marker, "GORACE=halt_on_error=0 atexit_sleep_ms=50 log_path="+filepath.Join(m.reports, "report"))
	cmd.Env = append(cmd.Env, "ZSYNCFS_CONFIG=") // not what this machine is configured for
	cmd.Env = append(cmd.Env, m.options.Environment...)
	if c := m.options.Credential; c != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c}
		cmd.Dir = "/"
		cmd.Env = append(cmd.Env, "HOME="+m.reports, "XDG_CACHE_HOME=", "XDG_RUNTIME_DIR=")
	}
	return cmd
}

// Try runs "zsyncfs mount" and returns how it ended.
func (m *Mount) Try() Result {
	m.t.Helper()
	return Command(m.t, m.Command(m.Args()...))
}

// Path is where name, with slashes, is in the mount.
func (m *Mount) Path(name string) string { return filepath.Join(m.Dir, filepath.FromSlash(name)) }

// PIDs are the running processes of this mount.
func (m *Mount) PIDs() []int { return withEnvironment(m.marker) }

// PID is the daemon's. The test fails when there is not exactly one process.
func (m *Mount) PID() int {
	m.t.Helper()
	pids := m.PIDs()
	if len(pids) != 1 {
		m.t.Fatalf("want one daemon, found processes %v", pids)
	}
	return pids[0]
}

// Unmount unmounts with fusermount3 -u, and waits for the end of the daemon.
func (m *Mount) Unmount() {
	m.t.Helper()
	pids := m.PIDs()
	if r := WhileBusy(m.t, func() *exec.Cmd { return m.Program("fusermount3", "-u", m.Dir) }); r.Code != 0 {
		m.t.Fatalf("fusermount3 -u: %v", r)
	}
	m.waitEnds(pids)
}

// Signal sends sig to the daemon and waits for its end.
func (m *Mount) Signal(sig syscall.Signal) {
	m.t.Helper()
	pid := m.PID()
	if err := signal(pid, sig); err != nil {
		m.t.Fatal(err)
	}
	m.waitEnds([]int{pid})
}

func (m *Mount) waitEnds(pids []int) {
	m.t.Helper()
	for _, pid := range pids {
		if !waitEnd(pid, patience) {
			m.t.Fatalf("process %d has not ended after %v; its threads are in the kernel at\n%s", pid, patience, kernelStacks(pid))
		}
	}
}

// Log is the daemon's log so far; "" when there is none.
func (m *Mount) Log() string {
	text, err := os.ReadFile(filepath.Join(m.CacheDir, "daemon.log"))
	if err != nil {
		return ""
	}
	return string(text)
}

// clean leaves no mount, process or folder behind.
func (m *Mount) clean() {
	if m.t.Failed() {
		log := m.Log()
		if n := len(log) - 16<<10; n > 0 {
			log = log[n:]
		}
		m.t.Logf("--- daemon.log of %s on %s (%d processes)\n%s", m.options.Source, m.Dir, len(m.PIDs()), log)
	}
	for range 3 { // one mount over another
		if Mounted(m.Dir) {
			m.detach()
		}
	}
	pids := m.PIDs()
	for _, pid := range pids {
		// An orderly end first: a report of the race detector is worth having.
		_ = signal(pid, unix.SIGTERM)
	}
	for _, pid := range pids {
		if !waitEnd(pid, 10*time.Second) {
			m.t.Logf("process %d did not end by itself after its mount was gone", pid)
			_ = signal(pid, unix.SIGKILL)
			waitEnd(pid, patience)
		}
	}
	if Mounted(m.Dir) {
		m.detach()
	}
	m.raceReports()
}

// detach takes a mount away from its folder whatever state it is in.
func (m *Mount) detach() {
	if unix.Unmount(m.Dir, unix.MNT_DETACH) == nil {
		return
	}
	if out, err := exec.Command("fusermount3", "-u", "-z", m.Dir).CombinedOutput(); err != nil {
		m.t.Errorf("%s cannot be unmounted: %v: %s", m.Dir, err, out)
	}
}

// raceReports fails the test when the race detector found anything.
func (m *Mount) raceReports() {
	files, _ := filepath.Glob(filepath.Join(m.reports, "report.*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(text)) != "" {
			m.t.Errorf("race detector:\n%s", text)
		}
	}
}
