package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
)

// exitFailure is the code of every failure, as with zsyncmake 0.6.2.
const exitFailure report.Code = 2

// program reports the errors.
var program = report.Program{Name: "zsyncmake", Table: []report.Translation{
	report.When(report.As[*signals.Ended], 0, ""), // it has its own code
	report.When(report.Is(making.ErrChanged), exitFailure, "try again when nobody writes to it any more"),
	report.When(report.Where(readsFolder), exitFailure, "\"zsyncfs make -r DIR\" makes the control files of all files in a directory"),
	report.When(report.Is(syscall.ENOSPC), exitFailure, "make room on the disk; -o FILE puts the control file elsewhere"),
	report.When(report.Is(fs.ErrPermission), exitFailure, "check who may read the file, and who may write where the control file goes"),
	report.When(func(error) bool { return true }, exitFailure, ""),
}}

// readsFolder says whether e comes of a folder in place of a FILE.
func readsFolder(e *fs.PathError) bool { return e.Op == "read" && errors.Is(e.Err, syscall.EISDIR) }

// usageErrorf is an error in how the command line was written. Without a hint
// of its own it points at the help.
func usageErrorf(format string, args ...any) error {
	return report.WithHint(fmt.Errorf(format, args...), "\"zsyncmake --help\" lists the options")
}
