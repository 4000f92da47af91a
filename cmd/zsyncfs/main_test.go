package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/zsyncfs/zsyncfs/cmd/internal/scripttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"zsyncfs": main})
}

// TestScripts runs the command lines in testdata/script and compares what the
// program prints. Beside testscript's own commands they use those of commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: commands,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/.cache")
			e.Setenv("ZSYNCFS_CONFIG", "")          // not what this machine is configured for
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else each program takes a second to end
			return nil
		},
	})
}

var commands = map[string]func(*testscript.TestScript, bool, []string){
	"random": randomCommand,
	"line":   lineCommand,
	"get":    getCommand,
	"agrees": scripttest.Agrees,
	"exits":  scripttest.Exits,
	"append": appendCommand,
	"spoil":  spoilCommand,
}

// random FILE BYTES: makes a file of so many random bytes.
func randomCommand(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// line FILE REGEXP NAME: waits until a line of FILE matches, and sets the
// variable NAME to its first group.
func lineCommand(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile("(?m)" + args[1])
	for range 3000 {
		data, _ := os.ReadFile(ts.MkAbs(args[0]))
		if m := re.FindSubmatch(data); m != nil {
			ts.Setenv(args[2], string(m[1]))
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("no line of %s matches %s", args[0], args[1])
}

// get STATUS URL FILE [NAME:VALUE...]: fetches URL into FILE; the answer must
// have the status.
func getCommand(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	for _, h := range args[3:] {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), body, 0o644))
	if fmt.Sprint(resp.StatusCode) != args[0] {
		ts.Fatalf("GET %s: %s, want %s", args[1], resp.Status, args[0])
	}
}
