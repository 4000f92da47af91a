package seed

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrRecords: NewIndex was given fewer records than the target has blocks, or a
// header that no control file can have, or a target of more blocks than can be
// indexed (maxBlocks).
var ErrRecords = errors.New("the records do not fit the header")

// NotRegularError: a seed is no regular file.
type NotRegularError struct {
	// Path is the seed, as it was given.
	Path string
	// Mode is what it is instead.
	Mode fs.FileMode
}

func (e *NotRegularError) Error() string {
	return fmt.Sprintf("seed %q is no regular file (%s)", e.Path, e.Mode.Type())
}
