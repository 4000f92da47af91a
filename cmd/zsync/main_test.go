package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"

	"github.com/zsyncfs/zsyncfs/cmd/internal/scripttest"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/oldzsync"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// asProgram is the environment variable that makes the test's binary behave as
// the program itself.
const asProgram = "ZSYNC_TEST_AS_PROGRAM"

// base is the folder of this run, which everyone may read.
var base string

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	testscript.Main(runner{m}, map[string]func(){"zsync": main})
}

// runner makes base for the tests.
type runner struct{ m *testing.M }

func (r runner) Run() int {
	var err error
	if base, err = os.MkdirTemp("", "zsync-test-"); err == nil {
		err = os.Chmod(base, 0o755)
	}
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(base)
	return r.m.Run()
}

// folder makes a folder that everyone may read, gone after the test.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(base, "")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(path, data, 0o644))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

// listed are the names in dir, without those that begin with a dot.
func listed(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

func wantListed(t *testing.T, dir string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := listed(t, dir); !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

// noise is n bytes that do not repeat.
func noise(n int, seed byte) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// result is how a program ended.
type result struct {
	stdout, stderr string
	code           int // -1: killed
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\n--- stdout\n%s\n--- stderr\n%s", r.code, r.stdout, r.stderr)
}

// wants fails the test unless the code is code and each text is in what was printed.
func (r result) wants(t *testing.T, code int, texts ...string) result {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout, text) && !strings.Contains(r.stderr, text) {
			t.Fatalf("%q was not printed: %v", text, r)
		}
	}
	if r.code != code {
		t.Fatalf("want exit code %d: %v", code, r)
	}
	return r
}

// hang bounds how long a program may take.
const hang = time.Minute

// finish runs cmd to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, 5*time.Second
	must(t, cmd.Start())
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	r := result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("%q: %v, %v", cmd.Args, err, r)
	}
	return r
}

// ours is the program under test in dir. It sees no login of whoever runs the
// test, and no proxy.
func ours(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self, args...)
	cmd.Dir = dir
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(strings.ToLower(kv), "=")
		if !strings.HasSuffix(name, "_proxy") && name != "netrc" {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, asProgram+"=1", "GORACE=atexit_sleep_ms=0", "HOME="+dir)
	return cmd
}

func zsyncIn(t *testing.T, dir string, args ...string) result {
	t.Helper()
	return finish(t, ours(t, dir, args...))
}

// site is a server with a target and its control file.
type site struct {
	*rangetest.Server
	t      *testing.T
	target []byte
}

func newSite(t *testing.T, target []byte, changes ...func(*format.BuilderOptions)) *site {
	t.Helper()
	s := &site{Server: rangetest.New(), t: t}
	must(t, s.Start())
	t.Cleanup(s.Stop)
	s.publish(target, changes...)
	return s
}

func (s *site) publish(target []byte, changes ...func(*format.BuilderOptions)) {
	s.t.Helper()
	s.target = target
	s.Put("/t.dat", target)
	s.Put("/t.dat.zsync", control(s.t, target, changes...))
}

// control is the control file of target, as t.dat.
func control(t *testing.T, target []byte, changes ...func(*format.BuilderOptions)) []byte {
	t.Helper()
	o := format.BuilderOptions{Filename: "t.dat", URLs: []string{"t.dat"}, BlockSize: 1024,
		MTime: time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)}
	for _, change := range changes {
		change(&o)
	}
	b, err := format.NewBuilder(o)
	must(t, err)
	var out bytes.Buffer
	_, _ = b.Write(target)
	_, err = b.WriteTo(&out)
	must(t, err)
	return out.Bytes()
}

func (s *site) url() string { return s.URL("/t.dat.zsync") }

// made wants the target at path.
func (s *site) made(path string) {
	s.t.Helper()
	if got := read(s.t, path); !bytes.Equal(got, s.target) {
		s.t.Errorf("%s has wrong bytes: %d, want %d", path, len(got), len(s.target))
	}
}

// sent is the number of bytes of the target that were sent since the last call.
func (s *site) sent() int64 {
	s.Wait()
	defer s.ResetLog()
	return s.Bytes("/t.dat")
}

// headers are the values of a header in the requests so far.
func (s *site) headers(name string) []string {
	s.Wait()
	var values []string
	for _, r := range s.Log() {
		values = append(values, r.Header[http.CanonicalHeaderKey(name)]...)
	}
	return values
}

var buildOnce = sync.OnceValues(func() (string, error) {
	path := filepath.Join(base, "zsyncmake")
	out, err := exec.Command("go", "build", "-o", path, "github.com/zsyncfs/zsyncfs/cmd/zsyncmake").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// ourMaker is the path of this project's zsyncmake.
func ourMaker(t *testing.T) string {
	t.Helper()
	path, err := buildOnce()
	must(t, err)
	return path
}

// The first zsync on the PATH is ours: testscript sees to that.
var (
	findZsync = sync.OnceValues(func() (string, error) { return oldzsync.Find("zsync", "0.6.2") })
	findMaker = sync.OnceValues(func() (string, error) { return oldzsync.Find("zsyncmake", "0.6") })
)

// oldZsync is the path of a zsync 0.6.2 on this machine.
func oldZsync(t *testing.T) string { return orSkip(t, findZsync) }

// oldMaker is the path of a zsyncmake 0.6 on this machine.
func oldMaker(t *testing.T) string { return orSkip(t, findMaker) }

// orSkip skips the test without the program that find looks for.
func orSkip(t *testing.T, find func() (string, error)) string {
	t.Helper()
	path, err := find()
	if err != nil {
		t.Skip("nothing to compare with: ", err)
	}
	return path
}

// makeControl runs a zsyncmake in dir.
func makeControl(t *testing.T, maker, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(maker, args...)
	cmd.Dir = dir
	finish(t, cmd).wants(t, 0)
}

// TestScripts runs the command lines in testdata/script. $URL is a server with
// t.dat (100 kB) and t.dat.zsync.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scripttest.Exits,
		},
		Setup: func(e *testscript.Env) error {
			s := rangetest.New()
			if err := s.Start(); err != nil {
				return err
			}
			e.Defer(s.Stop)
			target := noise(100_000, 1)
			s.Put("/t.dat", target)
			s.Put("/t.dat.zsync", control(t, target))
			s.Put("/html.zsync", []byte("<html>no such page</html>"))
			s.Add(rangetest.Rule{Path: "/moved.zsync", Fault: rangetest.Redirect, Text: "/t.dat.zsync"})
			s.Add(rangetest.Rule{Path: "/locked.zsync", Fault: rangetest.Status, Status: 401})
			e.Setenv("URL", s.URL(""))
			e.Setenv("HTTPS_URL", strings.Replace(s.URL(""), "http:", "https:", 1)) // where no HTTPS is spoken
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			old := bytes.Clone(target)
			copy(old[50_000:], "another text here")
			return errors.Join(os.WriteFile(filepath.Join(e.WorkDir, "seed"), old, 0o644),
				os.WriteFile(filepath.Join(e.WorkDir, "local.zsync"), control(t, target), 0o644),
				os.WriteFile(filepath.Join(e.WorkDir, "target"), target, 0o644))
		},
	})
}

// The help names every option.
func TestHelpIsComplete(t *testing.T) {
	new(options).flags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(helpText, "--"+f.Name) || f.Shorthand != "" && !strings.Contains(helpText, "-"+f.Shorthand+", --"+f.Name) {
			t.Errorf("the help does not name -%s, --%s", f.Shorthand, f.Name)
		}
	})
	for line := range strings.Lines(helpText) {
		if len(line) > 84 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	must(t, errors.Join(err, w.Close()))
	return b.Bytes()
}
