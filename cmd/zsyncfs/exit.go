package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// exitCode is the status that the program ends with. The numbers are stable:
// scripts rely on them, so a new one is added at the end and none is reused.
type exitCode = report.Code

const (
	exitOK           exitCode = 0
	exitFailure      exitCode = 1
	exitUsage        exitCode = 2
	exitSource       exitCode = 3
	exitControlFile  exitCode = 4
	exitMount        exitCode = 5
	exitStoreLocked  exitCode = 6
	exitStoreDamaged exitCode = 7
	exitNotMounted   exitCode = 8
	exitVerify       exitCode = 9
	exitPartial      exitCode = 10
	exitNoDaemon     exitCode = 11
	exitInterrupted  exitCode = 130
	exitTerminated   exitCode = 143
)

// exitCodeMeanings is what the help of the root command says.
var exitCodeMeanings = []struct {
	code    exitCode
	meaning string
}{
	{exitOK, "success"},
	{exitFailure, "any other failure"},
	{exitUsage, "wrong usage: unknown command or flag, bad value"},
	{exitSource, "the source cannot be reached, or refused the request"},
	{exitControlFile, "a control file or listing cannot be used"},
	{exitMount, "the file system cannot be mounted"},
	{exitStoreLocked, "another process uses the cache directory"},
	{exitStoreDamaged, "the cache directory is damaged, of a newer zsyncfs, or something else"},
	{exitNotMounted, "nothing of zsyncfs is mounted there"},
	{exitVerify, "the bytes are not those that the control file describes"},
	{exitPartial, "some of several files failed, the others are done"},
	{exitNoDaemon, "no daemon is running"},
	{exitInterrupted, "interrupted (SIGINT, Ctrl-C) before it was done"},
	{exitTerminated, "terminated (SIGTERM) before it was done"},
}

func exitCodeHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, m := range exitCodeMeanings {
		fmt.Fprintf(&b, "%5d  %s\n", m.code, m.meaning)
	}
	return strings.TrimRight(b.String(), "\n")
}

// program is what reports the errors of every command.
var program = report.Program{Name: "zsyncfs", Table: translations}

func withCode(code exitCode, err error) error { return report.WithCode(code, err) }

func withHint(err error, format string, args ...any) error {
	return report.WithHint(err, format, args...)
}

// withPlaceHint says what to do when a file that -o may name elsewhere cannot be
// written, and then what else holds.
func withPlaceHint(err error, then string) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return withHint(err, "make room on the disk of that file, or choose another with -o%s", then)
	case errors.Is(err, os.ErrPermission):
		return withHint(err, "choose a place with -o where you may write%s", then)
	}
	return err
}

func printable(s string) string { return report.Printable(s) }
