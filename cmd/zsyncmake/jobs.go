package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

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
	// packed is the path of the gzip file whose content is the target, when the
	// control file has a map of it, and packedName what it is called; else "".
	packed, packedName string
	// start is when the work began.
	start time.Time
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

// packedFile is where -z puts the gzip file.
func (o *options) packedFile(file string) string {
	switch {
	case file != "-":
		return file + ".gz"
	case o.filename != "":
		return o.filename + ".gz"
	}
	return "zsync-target.gz"
}

// inside is j for what is inside of its gzip file: with the names that zsyncmake
// 0.6.2 gives.
func (o *options) inside(j job) job {
	j.packed, j.packedName = j.file, j.name
	j.name = cutGzip(j.name)
	if o.output == "" && j.name != "" {
		j.control = j.name + ".zsync"
	}
	return j
}

// cutGzip is the name of what is inside of a gzip file.
func cutGzip(name string) string {
	switch ext := filepath.Ext(name); {
	case ext == name:
		return name
	case ext == ".gz":
		return strings.TrimSuffix(name, ext)
	case ext == ".tgz":
		return strings.TrimSuffix(name, ext) + ".tar"
	}
	return name
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
