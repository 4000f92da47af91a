package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// job is one control file to make.
type job struct {
	// file is the target's path as typed; "-" is standard input.
	file string
	// name is what the target is called; "" when it has no name.
	name string
	// control is where the control file goes; "-" is standard output.
	control string
}

func (j job) stdin() bool { return j.file == "-" }

// title is what messages call the target.
func (j job) title() string {
	if j.stdin() {
		return "standard input"
	}
	return j.file
}

// jobs are what o asks for. The arguments say whether standard input and
// standard output are terminals.
func (o *options) jobs(stdinTerminal, stdoutTerminal bool) ([]job, error) {
	var list []job
	by := map[string]job{} // by control file
	for _, file := range o.files {
		j := o.job(file)
		if other, ok := by[outputKey(runtime.GOOS, j.control)]; ok {
			return nil, report.WithHint(fmt.Errorf("the control files of %s and %s would both be %s", other.title(), j.title(), j.control),
				"run zsyncmake for each of them, with -o")
		}
		by[outputKey(runtime.GOOS, j.control)] = j
		if j.stdin() && stdinTerminal && !o.named {
			return nil, usageErrorf("no FILE given")
		}
		if j.control == "-" && stdoutTerminal {
			return nil, report.WithHint(fmt.Errorf("a control file is no text for a terminal"), "name a file for it with -o")
		}
		list = append(list, j)
	}
	return list, nil
}

// outputKey is the same for paths that lead to one file on the system goos by
// their names: on some, upper and lower case make no difference.
func outputKey(goos, path string) string {
	path = filepath.Clean(path)
	if goos == "windows" || goos == "darwin" {
		path = strings.ToLower(path)
	}
	return path
}

func (o *options) job(file string) job {
	j := job{file: file, name: o.filename, control: o.output}
	if j.name == "" && !j.stdin() {
		j.name = filepath.Base(file)
	}
	if j.control == "" {
		j.control = "-"
		if j.name != "" {
			j.control = j.name + ".zsync"
		}
	}
	return j
}
