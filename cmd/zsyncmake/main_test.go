package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"

	"github.com/zsyncfs/zsyncfs/cmd/internal/scripttest"
)

// asProgram is the environment variable that makes the test's binary behave as
// the program itself.
const asProgram = "ZSYNCMAKE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"zsyncmake": main})
}

// ourProgram is a run of the program in dir.
func ourProgram(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// TestScripts runs the command lines in testdata/script. Each starts in a folder
// with the files of sampleFiles.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agrees": scripttest.Agrees,
			"exits":  scripttest.Exits,
			"header": headerCommand,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else each program takes a second to end
			return sampleFiles(e.WorkDir)
		},
	})
}

var sampleTime = time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)

// noise is n bytes that do not repeat.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	data := make([]byte, n)
	r.Read(data)
	return data
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func sampleFiles(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"a": noise(5000), "sub/b": noise(300), "a b": noise(1), "-dash": noise(2048), "empty": nil,
		"g.gz": gzipped(noise(9000)),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
		if err := os.Chtimes(path, sampleTime, sampleTime); err != nil {
			return err
		}
	}
	return nil
}

// header FILE: the text of a control file's header, digests as "*", becomes the
// standard output that the next commands look at.
func headerCommand(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	text, _, ok := bytes.Cut(data, []byte("\nZ-Map2: "))
	if !ok {
		text, _, ok = bytes.Cut(data, []byte("\n\n"))
	}
	if !ok {
		ts.Fatalf("%s has no end of header", args[0])
	}
	digests := regexp.MustCompile(`[0-9a-f]{40,}`)
	fmt.Fprintf(ts.Stdout(), "%s\n", digests.ReplaceAll(text, []byte("*")))
}

// The help and the manual name every option.
func TestHelpIsComplete(t *testing.T) {
	manual, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	newFlags(&options{}, &given{}).VisitAll(func(f *pflag.Flag) {
		for what, text := range map[string]string{"help": helpText, "doc.go": string(manual)} {
			if !strings.Contains(text, "--"+f.Name) || f.Shorthand != "" && !strings.Contains(text, "-"+f.Shorthand+", --"+f.Name) {
				t.Errorf("%s does not name -%s, --%s", what, f.Shorthand, f.Name)
			}
		}
	})
}
