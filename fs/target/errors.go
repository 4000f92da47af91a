package target

import (
	"errors"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

var (
	// ErrClosed is the error of reads after Close.
	ErrClosed = errors.New("the target is closed")
	// ErrSuspect is the error of reads of a target whose digest did not agree.
	ErrSuspect = errors.New("the whole file does not have the digest that its control file states")
	// ErrStalled ends a flight that brought nothing for Options.ReadDeadline.
	ErrStalled = errors.New("no data within the read deadline")
	// ErrTargetChanged is the error of reads that need a block which only a file
	// that was replaced or removed on the server had.
	ErrTargetChanged = zsyncclient.ErrTargetChanged
)
