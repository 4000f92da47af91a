package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// exitCode is the status that the program ends with. The numbers are stable:
// scripts rely on them, so a new one is added at the end and none is reused.
type exitCode int

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
	{exitInterrupted, "interrupted by a signal"},
}

func exitCodeHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, m := range exitCodeMeanings {
		fmt.Fprintf(&b, "%5d  %s\n", m.code, m.meaning)
	}
	return strings.TrimRight(b.String(), "\n")
}

// codeError is an error whose exit code its maker knows.
type codeError struct {
	code exitCode
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// withCode gives err an exit code that goes before the table's. nil stays nil.
func withCode(code exitCode, err error) error {
	if err == nil {
		return nil
	}
	return &codeError{code: code, err: err}
}

// hintError is an error with advice for the user.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// withHint gives err a hint that goes before the table's. nil stays nil.
func withHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hintError{err: err, hint: fmt.Sprintf(format, args...)}
}

// translation is what a kind of error means to the user.
type translation struct {
	matches func(error) bool
	code    exitCode
	hint    string // "" for none
}

// is matches errors that wrap target.
func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// as matches errors that wrap a T.
func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// translate is the exit code and the hint of err: what withCode and withHint
// say, else the first row of translations that matches.
func translate(err error) (exitCode, string) {
	if err == nil {
		return exitOK, ""
	}
	code, hint := exitFailure, ""
	for _, t := range translations {
		if t.matches(err) {
			code, hint = t.code, t.hint
			break
		}
	}
	var coded *codeError
	if errors.As(err, &coded) {
		if coded.code != code {
			hint = "" // the row was about something else
		}
		code = coded.code
	}
	var hinted *hintError
	if errors.As(err, &hinted) {
		hint = hinted.hint
	}
	return code, hint
}

// report prints err with its hint, if it is one, and returns the exit code.
func report(stderr io.Writer, err error) int {
	code, hint := translate(err)
	if err != nil {
		fmt.Fprintf(stderr, "zsyncfs: error: %s\n", printable(err.Error()))
		if hint != "" {
			fmt.Fprintf(stderr, "zsyncfs: hint: %s\n", printable(hint))
		}
	}
	return int(code)
}

// printable is s on one line and without characters that a terminal acts on:
// names and header values come from strangers.
func printable(s string) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(s) {
		switch {
		case r == '\n':
			b.WriteString("; ")
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\x%02x", r)
		}
	}
	return b.String()
}
