// Package scripttest has the commands that the test scripts of several programs use.
// It is for tests only; it imports format and testscript.
package scripttest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/zsyncfs/zsyncfs/format"
)

// Exits is "exits CODE PROGRAM...": the program must end with the code.
func Exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// Agrees is "agrees CONTROL FILE": every block and the digests of FILE are those of
// CONTROL.
func Agrees(ts *testscript.TestScript, neg bool, args []string) {
	err := Agree(ts.MkAbs(args[0]), ts.MkAbs(args[1]))
	if (err != nil) != neg {
		ts.Fatalf("%s and %s: %v", args[0], args[1], err)
	}
}

// Agree says how the file does not agree with every record and digest of the control
// file; nil when it does.
func Agree(control, file string) error {
	f, err := os.Open(control)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	h, err := format.ReadHeader(r)
	if err != nil {
		return err
	}
	records, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	v := h.NewFileVerifier()
	v.Write(data)
	if err := v.Check(); err != nil {
		return err
	}
	if n, want := h.VerifyBlocks(0, data, records), h.Geometry().BlockCount(); int64(n) != want {
		return fmt.Errorf("%d of %d blocks agree", n, want)
	}
	return nil
}
