package format

import (
	"errors"
	"fmt"
	"io"
)

var (
	// ErrNoFileHash: the header has no digest of the whole target that this
	// package can check.
	ErrNoFileHash = errors.New("the control file has no digest of the whole target")
	// ErrLength: a target has not as many bytes as its header says.
	ErrLength = errors.New("the target's length is not the one in the control file")
)

// ParseError is a fault in a control file. Its message is one line, free of
// control characters: what was read is quoted.
type ParseError struct {
	// Header is the name of the header at fault; empty when the fault is a line
	// that is no header, or the file as a whole.
	Header string
	// Line counts the lines of the header from 1, the raw bytes of a Z-Map2 not
	// counted; 0 when the fault is that something is missing.
	Line int
	// Err is what is wrong.
	Err error
}

func (e *ParseError) Error() string {
	switch {
	case e.Line == 0 && e.Header == "":
		return fmt.Sprintf("control file: %v", e.Err)
	case e.Line == 0:
		return fmt.Sprintf("control file: header %s: %v", quoteName(e.Header), e.Err)
	case e.Header == "":
		return fmt.Sprintf("control file line %d: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("control file line %d: header %s: %v", e.Line, quoteName(e.Header), e.Err)
}

func (e *ParseError) Unwrap() error { return e.Err }

// ShortError: the bytes end before the header does. It wraps io.ErrUnexpectedEOF.
type ShortError struct {
	// Have is how many bytes there were.
	Have int64
	// Need is how many bytes the header has at least; more than Have. Inside a
	// Z-Map2 this counts all of its bytes.
	Need int64
}

func (e *ShortError) Error() string {
	return fmt.Sprintf("control file ends inside its header, after %d bytes: %v", e.Have, io.ErrUnexpectedEOF)
}

// Unwrap is io.ErrUnexpectedEOF.
func (e *ShortError) Unwrap() error { return io.ErrUnexpectedEOF }

// FileHashError: a digest of the whole target is not the one in its header.
type FileHashError struct {
	// Algorithm is "SHA-1" or "SHA-256".
	Algorithm string
	// Want is the digest in the header, Got the target's.
	Want, Got []byte
}

func (e *FileHashError) Error() string {
	return fmt.Sprintf("the target's %s is %x, the control file says %x", e.Algorithm, e.Got, e.Want)
}

// quote is s in quotes, without raw control characters and cut to a length
// that fits a message.
func quote(s string) string {
	const most = 48
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// quoteName is name as it is when it is a possible name of a header, else quoted.
func quoteName(name string) string {
	if checkName(name) == nil {
		return name
	}
	return quote(name)
}
