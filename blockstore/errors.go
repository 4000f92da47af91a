package blockstore

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

var (
	// ErrUnknownBlock: a block that was asked for is not here.
	ErrUnknownBlock = errors.New("blockstore: the block is not here")
	// ErrUnknownRecords: records that are needed are not here.
	ErrUnknownRecords = errors.New("blockstore: the block's record is not here")
	// ErrControlConflict: bytes of a control file differ from those here, or
	// make a whole that is not the version's.
	ErrControlConflict = errors.New("blockstore: the control file differs from the one here")
	// ErrFull: there is no room; nothing changed.
	ErrFull = errors.New("blockstore: no room")
	// ErrLimit is an ErrFull: there is no room within the limits, and nothing in the
	// store may go.
	ErrLimit = fmt.Errorf("%w within the limits", ErrFull)
	// ErrGone: the store's folder was removed or replaced while the store was open.
	ErrGone = errors.New("blockstore: the folder was removed while it was in use")
	// ErrNotFound: no value has this key.
	ErrNotFound = errors.New("blockstore: not found")
	// ErrClosed: the store or the version has been closed.
	ErrClosed = errors.New("blockstore: closed")
	// ErrInvalid: an argument is out of its bounds.
	ErrInvalid = errors.New("blockstore: invalid argument")
	// ErrChanged: blocks were forgotten while the whole was read.
	ErrChanged = errors.New("blockstore: blocks were forgotten meanwhile")
	// ErrInUse: somebody uses the version.
	ErrInUse = errors.New("blockstore: the version is in use")
	// ErrNotStore: the folder holds something else than a store.
	ErrNotStore = errors.New("blockstore: the folder is not a store")
	// ErrIrregular: something else has the name of a file, or of a folder.
	ErrIrregular = errors.New("something else has that name: remove it")
)

// LockedError: another process owns the store.
type LockedError struct {
	Dir string
	PID int // 0 when it could not be read
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("blockstore: %s is in use by another process", e.Dir)
	}
	return fmt.Sprintf("blockstore: %s is in use by process %d", e.Dir, e.PID)
}

// LayoutError: the store was written by a newer program.
type LayoutError struct {
	Dir              string
	Layout, Supports int
}

func (e *LayoutError) Error() string {
	return fmt.Sprintf("blockstore: %s has layout %d; this program knows layouts up to %d", e.Dir, e.Layout, e.Supports)
}

// DamagedError: a block did not match its record when it was first read. It is
// no longer here. Err is the disk's error when it could not be read at all.
type DamagedError struct {
	Block format.BlockID
	Err   error
}

func (e *DamagedError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("blockstore: block %d is damaged: %v", e.Block, e.Err)
	}
	return fmt.Sprintf("blockstore: block %d is damaged", e.Block)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// isDisk says whether the disk, or its file system, said err.
func isDisk(err error) bool {
	var errno unix.Errno
	return errors.As(err, &errno)
}

// writeError adds ErrFull to errors that mean that the disk, the quota or the
// file system's largest file left no room.
func writeError(what string, err error) error {
	for _, full := range []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG} {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %s: %w", ErrFull, what, err)
		}
	}
	return fmt.Errorf("blockstore: %s: %w", what, err)
}
