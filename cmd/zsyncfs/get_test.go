package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// append FILE BYTES: appends so many letters x.
func appendCommand(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0)
	ts.Check(err)
	defer f.Close()
	_, err = f.WriteString(strings.Repeat("x", count))
	ts.Check(err)
}

// spoil FROM TO: copies a control file with other digests of the whole.
func spoilCommand(ts *testscript.TestScript, _ bool, args []string) {
	control, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	head, records, _ := bytes.Cut(control, []byte("\n\n"))
	var out []string
	for line := range strings.Lines(string(head) + "\n") {
		name, value, _ := strings.Cut(line, ": ")
		if name == "SHA-1" {
			out = append(out, name+": "+strings.Repeat("0", 40)+"\n")
		} else if name != "File-Hash" && name != "Safe" && name != "URL" {
			out = append(out, name+": "+value)
		}
	}
	out = append(out, "URL: disk-1.img\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), append([]byte(strings.Join(out, "")+"\n"), records...), 0o644))
}
