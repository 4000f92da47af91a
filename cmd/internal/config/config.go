package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/sys/unix"
)

// sizeLimit is the largest file, in bytes.
const sizeLimit = 1 << 20

// File is what a configuration file says. Settings and archives are in the order of
// the file; the names of archives are different.
type File struct {
	Path     string // absolute
	Open     bool   // others than its owner may read it
	Settings []Setting
	Archives []Archive
}

// Archive is a table [archive.NAME].
type Archive struct {
	Name string
	Position
	Settings []Setting
}

// Setting is one key with its values: one, or those of an array.
type Setting struct {
	Name string
	Position
	Values []string
	Array  bool
}

// Position is a place in a file.
type Position struct{ Line, Column int }

// Error is something wrong at a place of a file.
type Error struct {
	Path string
	Position
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.Path, e.Line, e.Column, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// At is err with its place in f.
func (f *File) At(p Position, err error) error {
	return &Error{Path: f.Path, Position: p, Err: err}
}

// Archive is the archive of that name; nil when there is none.
func (f *File) Archive(name string) *Archive {
	for i := range f.Archives {
		if f.Archives[i].Name == name {
			return &f.Archives[i]
		}
	}
	return nil
}

// Value is the value of a setting of a; "" when it has none.
func (a *Archive) Value(name string) string {
	for _, s := range a.Settings {
		if s.Name == name && len(s.Values) > 0 {
			return s.Values[0]
		}
	}
	return ""
}

// IsName says whether an archive may be called so.
func IsName(text string) bool { return archiveName.MatchString(text) }

// Names are those of the archives.
func (f *File) Names() []string {
	var names []string
	for _, a := range f.Archives {
		names = append(names, a.Name)
	}
	return names
}

// Read reads the file at path. Errors: those of the file; several *Error, joined.
func Read(path string) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	in, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe is not waited for
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory, not a configuration file", path)
	case info.Mode()&os.ModeNamedPipe != 0: // it is read more than once
		return nil, fmt.Errorf("%s is a pipe, not a configuration file", path)
	}
	text, err := io.ReadAll(io.LimitReader(in, sizeLimit+1))
	if err != nil {
		return nil, err
	}
	if len(text) > sizeLimit {
		return nil, fmt.Errorf("%s is larger than %d bytes, which no configuration is", path, sizeLimit)
	}
	f, err := Parse(path, bytes.TrimPrefix(text, []byte("\ufeff"))) // some editors begin files so
	if f != nil {
		f.Open = info.Mode().Perm()&0o077 != 0
	}
	return f, err
}

// Parse reads the text of the file at path, which it does not open. All that is wrong
// is reported at once. Errors: several *Error, joined.
func Parse(path string, text []byte) (*File, error) {
	p := parser{file: &File{Path: path}}
	if err := toml.Unmarshal(text, new(map[string]any)); err != nil {
		var decode *toml.DecodeError
		if !errors.As(err, &decode) {
			return nil, p.file.At(Position{1, 1}, err)
		}
		line, column := decode.Position()
		return nil, p.file.At(Position{line, column}, errors.New(trimmed(decode.Error())))
	}
	p.parse(text)
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return p.file, nil
}

// archiveName is what an archive may be called: a word for the shell, and an instance
// of a systemd unit.
var archiveName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
