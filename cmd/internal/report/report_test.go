package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var program = Program{Name: "prog", Table: []Translation{
	When(Is(io.ErrUnexpectedEOF), 3, "row hint"),
	When(Where(func(e *fs.PathError) bool { return e.Op == "mount" }), 7, "op hint"),
	When(As[*fs.PathError], 4, ""),
}}

func TestTranslate(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("open: %w", err) }
	for _, tt := range []struct {
		err  error
		code Code
		hint string
	}{
		{nil, 0, ""},
		{errors.New("x"), 1, ""},
		{wrapped(io.ErrUnexpectedEOF), 3, "row hint"},
		{wrapped(&fs.PathError{Err: io.ErrUnexpectedEOF}), 3, "row hint"},
		{wrapped(&fs.PathError{Err: io.EOF}), 4, ""},
		{wrapped(&fs.PathError{Op: "mount", Err: io.EOF}), 7, "op hint"},
		{WithHint(wrapped(io.ErrUnexpectedEOF), "own %s", "advice"), 3, "own advice"},
		{WithCode(5, wrapped(io.ErrUnexpectedEOF)), 5, ""},
		{WithCode(3, wrapped(io.ErrUnexpectedEOF)), 3, "row hint"},
		{wrapped(WithHint(WithCode(6, fs.ErrNotExist), "h")), 6, "h"},
		{WithCode(5, nil), 0, ""},
		{WithHint(nil, "h"), 0, ""},
	} {
		if code, hint := program.Translate(tt.err); code != tt.code || hint != tt.hint {
			t.Errorf("%v: exit code %d, hint %q; want %d, %q", tt.err, code, hint, tt.code, tt.hint)
		}
	}
}

func TestReport(t *testing.T) {
	var out strings.Builder
	code := program.Report(&out, WithHint(errors.New("bad \x1b[31mname\nsecond \xff ü"), "try\ragain"))
	want := "prog: error: bad \\x1b[31mname; second \\xff ü\nprog: hint: try\\x0dagain\n"
	if code != 1 || out.String() != want {
		t.Errorf("%d, %q", code, out.String())
	}
	out.Reset()
	if code := program.Report(&out, nil); code != 0 || out.String() != "" {
		t.Errorf("no error: %d, %q", code, out.String())
	}
}

func TestNearest(t *testing.T) {
	names := []string{"get", "mount", "umount", "make", "serve", "status", "version"}
	for word, want := range map[string]string{
		"mont": "mount", "unmount": "umount", "mak": "make", "stat": "status", "sevre": "serve",
		"mnt": "mount", "gnt": "get", "x": "", "": "", "frobnicate": "", "versoin": "version",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestFlagHint(t *testing.T) {
	flags := pflag.NewFlagSet("prog", pflag.ContinueOnError)
	flags.Bool("verbose", false, "")
	for arg, want := range map[string]string{
		"--verbos": "did you mean \"--verbose\"?",
		"--frob":   "\"prog --help\" lists the flags",
		"-x":       "\"prog --help\" lists the flags",
	} {
		if got := FlagHint("prog", flags, flags.Parse([]string{arg})); got != want {
			t.Errorf("%s: %s", arg, got)
		}
	}
}
