package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ReadHeader reads a header from r up to and with the empty line; the next
// byte of r is the first record's. It never reads more than MaxHeaderSize
// bytes beside the Z-Map2's own, and takes memory only as bytes arrive.
//
// Errors: *ParseError for what is wrong in it, with a nil header; *ShortError,
// which wraps io.ErrUnexpectedEOF, when r ends before the empty line; any other
// error of r, wrapped. Beside the last two stands what was read so far: a
// header whose fields are those of the lines that were whole, each checked on
// its own, so that a caller who has only the first bytes of a file can show
// Length and MTime early. In it, fields that were not met have their zero
// values (Size too), and ZMap is nil unless all of it was there.
func ReadHeader(r *bufio.Reader) (*Header, error) {
	hr := &headerReader{r: r, h: &Header{}, seen: map[string]string{}}
	for {
		line, err := hr.line()
		if err == nil && line == nil {
			break
		}
		if err == nil {
			err = hr.field(line)
		}
		if err != nil {
			return hr.fail(err)
		}
	}
	hr.h.Size = hr.size
	if err := hr.finish(); err != nil {
		return nil, err
	}
	return hr.h, nil
}

// headerReader is the state of one ReadHeader.
type headerReader struct {
	r *bufio.Reader
	h *Header
	// size counts the bytes taken from r, mapSize those of them in a Z-Map2.
	size, mapSize int64
	lineNo        int
	// crlf: the first line ended with CR LF.
	crlf bool
	// seen has the values of the headers met that may stand only once.
	seen map[string]string
}

// fail is what ReadHeader returns for err.
func (hr *headerReader) fail(err error) (*Header, error) {
	var parse *ParseError
	if errors.As(err, &parse) {
		return nil, err
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("read control file: %w", err)
	}
	return hr.h, err
}

// at is err as a fault of the current line, in the header name.
func (hr *headerReader) at(name string, err error) error {
	return &ParseError{Header: name, Line: hr.lineNo, Err: err}
}

// line reads one line without its line end and trailing spaces; nil for the
// empty line that ends the header.
func (hr *headerReader) line() ([]byte, error) {
	hr.lineNo++
	var line []byte
	for {
		part, err := hr.r.ReadSlice('\n')
		hr.size += int64(len(part))
		line = append(line, part...)
		if hr.size-hr.mapSize > MaxHeaderSize {
			return nil, hr.tooBig(line)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, hr.ended(line, err)
		}
		// A body that is no control file may have no line end at all: do not
		// wait for one when the start already shows it.
		if err := hr.checkLine(line); err != nil {
			return nil, err
		}
	}
	if hr.lineNo == 1 {
		hr.crlf = bytes.HasSuffix(line, []byte("\r\n"))
	}
	text := line[:len(line)-1]
	if len(text) == 0 || (hr.crlf && string(text) == "\r") {
		return nil, nil
	}
	return text, hr.checkLine(text)
}

// tooBig is the error for a header over its bound, unless the line that broke
// the bound shows a worse fault.
func (hr *headerReader) tooBig(line []byte) error {
	if err := hr.checkLine(line); err != nil {
		return err
	}
	return hr.at("", fmt.Errorf("the header is longer than %d bytes", MaxHeaderSize))
}

// ended is the error for a source that failed with err after the bytes line.
func (hr *headerReader) ended(line []byte, err error) error {
	if parse := hr.checkLine(line); parse != nil {
		return parse
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &ShortError{Have: hr.size, Need: hr.size + 1}
	}
	return err
}

// checkLine finds the faults that a line, or the part of it that is here,
// shows whatever its header.
func (hr *headerReader) checkLine(line []byte) error {
	if hr.lineNo == 1 {
		if err := checkStart(line); err != nil {
			return hr.at("", err)
		}
	}
	name, _, found := bytes.Cut(line, []byte(":"))
	for _, c := range bytes.TrimRight(line, " \r\n") {
		if c < 0x20 || c == 0x7f {
			err := fmt.Errorf("control character 0x%02x in %s", c, quote(string(line)))
			if found && checkName(string(name)) == nil {
				return hr.at(string(name), err)
			}
			if hr.lineNo == 1 {
				return hr.at("", errors.New("this is binary data, not a control file"))
			}
			return hr.at("", fmt.Errorf("%w (are these records, without the empty line before them?)", err))
		}
	}
	if len(name) > MaxNameLength {
		return hr.at("", fmt.Errorf("%s is no header: no colon in its first %d bytes", quote(string(line)), MaxNameLength))
	}
	return nil
}

// checkStart recognises what is often served in place of a control file.
func checkStart(line []byte) error {
	switch {
	case bytes.HasPrefix(line, []byte("\xef\xbb\xbf")):
		return errors.New("the file starts with a UTF-8 byte order mark, which a control file must not have")
	case bytes.HasPrefix(bytes.TrimLeft(line, " \t\r"), []byte("<")):
		return errors.New("this looks like a web page, not a control file")
	case bytes.HasPrefix(line, []byte("\x1f\x8b")):
		return errors.New("this looks like a gzip file, not a control file")
	}
	return nil
}

// checkName says whether name can be the name of a header.
func checkName(name string) error {
	if name == "" {
		return errors.New("empty header name")
	}
	if len(name) > MaxNameLength {
		return fmt.Errorf("header name of more than %d bytes", MaxNameLength)
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("byte 0x%02x in the header name %s", c, quote(name))
		}
	}
	return nil
}

// field parses one line into the header.
func (hr *headerReader) field(line []byte) error {
	if hr.lineNo > MaxHeaders {
		return hr.at("", fmt.Errorf("more than %d headers", MaxHeaders))
	}
	name, value, found := strings.Cut(string(line), ":")
	if !found {
		return hr.at("", fmt.Errorf("%s is not a header (\"Name: value\")", quote(strings.TrimRight(name, " \r"))))
	}
	if err := checkName(name); err != nil {
		return hr.at("", err)
	}
	rest, spaced := strings.CutPrefix(value, " ")
	value = strings.TrimRight(rest, " \r")
	if !spaced && value != "" {
		return hr.at(name, errors.New("no space after the colon"))
	}
	f, known := fields[name]
	if !known {
		hr.h.Unknown = append(hr.h.Unknown, Field{Name: name, Value: value})
		return nil
	}
	first, again := hr.seen[name]
	if again && !f.repeats {
		// Equal repetitions do no harm; of conflicting ones none can be believed.
		if first == value && !f.raw {
			return nil
		}
		return hr.at(name, fmt.Errorf("given twice, as %s and %s", quote(first), quote(value)))
	}
	hr.seen[name] = value
	if err := f.parse(hr, value); err != nil {
		if f.raw && !errors.As(err, new(*faultError)) {
			return err // of the source, not a fault of this header
		}
		return hr.at(name, err)
	}
	return nil
}

// warn adds a warning. What was read must be quoted in it.
func (hr *headerReader) warn(format string, args ...any) {
	hr.h.Warnings = append(hr.h.Warnings, fmt.Sprintf(format, args...))
}
