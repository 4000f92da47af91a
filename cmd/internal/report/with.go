package report

import "fmt"

// codeError is an error whose exit code its maker knows.
type codeError struct {
	code Code
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// WithCode gives err an exit code that goes before the table's. nil stays nil.
func WithCode(code Code, err error) error {
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

// WithHint gives err a hint that goes before the table's. nil stays nil.
func WithHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hintError{err: err, hint: fmt.Sprintf(format, args...)}
}
