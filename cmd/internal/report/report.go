package report

import (
	"errors"
	"fmt"
	"io"
)

// Code is the status that a program ends with: 0 for success.
type Code int

// failure is the code of an error that nobody gave one.
const failure Code = 1

// Translation is what a kind of error means to the user.
type Translation struct {
	matches func(error) bool
	code    Code
	hint    string
}

// When is the translation of the errors that matches is true for; hint is ""
// for none.
func When(matches func(error) bool, code Code, hint string) Translation {
	return Translation{matches: matches, code: code, hint: hint}
}

// Code is the exit code.
func (t Translation) Code() Code { return t.code }

// Is matches errors that wrap target.
func Is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// As matches errors that wrap a T.
func As[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// Where matches errors that wrap a T for which holds is true.
func Where[T error](holds func(T) bool) func(error) bool {
	return func(err error) bool {
		var target T
		return errors.As(err, &target) && holds(target)
	}
}

// Program is a command that reports errors.
type Program struct {
	// Name stands before each line.
	Name string
	// Table is looked through from the top; the first row that matches decides,
	// so particular ones come before general ones. An error that none matches
	// has code 1 and no hint.
	Table []Translation
}

// Translate is the exit code and the hint of err: what WithCode and WithHint
// say, else the first row of the table that matches.
func (p Program) Translate(err error) (Code, string) {
	if err == nil {
		return 0, ""
	}
	code, hint := failure, ""
	for _, t := range p.Table {
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

// Report prints err with its hint, if it is one, and returns the exit code.
func (p Program) Report(stderr io.Writer, err error) int {
	code, hint := p.Translate(err)
	if err != nil {
		fmt.Fprintf(stderr, "%s: error: %s\n", p.Name, Printable(err.Error()))
		if hint != "" {
			fmt.Fprintf(stderr, "%s: hint: %s\n", p.Name, Printable(hint))
		}
	}
	return int(code)
}
