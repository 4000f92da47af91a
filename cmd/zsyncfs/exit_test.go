package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

func TestTranslate(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("mount /mnt: %w", err) }
	for _, tt := range []struct {
		err  error
		code exitCode
		hint string // a part of it
	}{
		{nil, exitOK, ""},
		{errors.New("x"), exitFailure, ""},
		{usageErrorf("x"), exitUsage, ""},
		{wrapped(&blockstore.LockedError{Dir: "d", PID: 7}), exitStoreLocked, "--cache-dir"},
		{wrapped(&format.ParseError{Header: "Length", Err: errors.New("x")}), exitControlFile, "zsyncfs make"},
		{wrapped(&format.FileHashError{}), exitVerify, "do not belong together"},
		{wrapped(&zsyncclient.StatusError{Code: 404}), exitSource, "with .zsync files"},
		{wrapped(&zsyncclient.StatusError{Code: 401}), exitSource, "--user"},
		{wrapped(&zsyncclient.StatusError{Code: 500}), exitSource, ""},
		{wrapped(&zsyncclient.SourceError{Candidates: []zsyncclient.CandidateError{{Err: zsyncclient.ErrWrongBlocks}}}), exitVerify, ""},
		{wrapped(context.Canceled), exitInterrupted, ""},
		{withHint(wrapped(&zsyncclient.StatusError{Code: 404}), "own %s", "advice"), exitSource, "own advice"},
		{withCode(exitMount, wrapped(&zsyncclient.StatusError{Code: 404})), exitMount, ""},
		{wrapped(withHint(withCode(exitNotMounted, fs.ErrNotExist), "h")), exitNotMounted, "h"},
		{wrapped(syscall.ENOSPC), exitFailure, "--cache-dir"},
		{wrapped(withPlaceHint(syscall.ENOSPC, "; x")), exitFailure, "another with -o; x"},
		{wrapped(withPlaceHint(syscall.EACCES, "")), exitFailure, "choose a place with -o"},
	} {
		code, hint := program.Translate(tt.err)
		if code != tt.code || !strings.Contains(hint, tt.hint) {
			t.Errorf("%v: exit code %d, hint %q; want %d, %q", tt.err, code, hint, tt.code, tt.hint)
		}
	}
}

// Every code that the table may give is explained in the help.
func TestExitCodesAreExplained(t *testing.T) {
	explained := map[exitCode]bool{}
	for _, m := range exitCodeMeanings {
		explained[m.code] = true
	}
	for _, row := range translations {
		if !explained[row.Code()] {
			t.Errorf("exit code %d is not explained", row.Code())
		}
	}
}

func TestReportIsPrintable(t *testing.T) {
	var out strings.Builder
	code := program.Report(&out, withHint(errors.New("bad \x1b[31mname\nsecond"), "try\ragain"))
	want := "zsyncfs: error: bad \\x1b[31mname; second\nzsyncfs: hint: try\\x0dagain\n"
	if code != 1 || out.String() != want {
		t.Errorf("%d, %q", code, out.String())
	}
}
