package blockstore

import (
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// Options for Open. The zero value works.
type Options struct {
	// CheckpointInterval is how often blocks written since become durable.
	// Default 2 s.
	CheckpointInterval time.Duration
	// CheckpointBytes starts a checkpoint early. Default 64 MiB.
	CheckpointBytes int64
	// Warn is told of damage that was found and healed. Default: nobody.
	Warn func(err error)
}

// Store is one folder, owned by one process. Safe for concurrent use.
type Store struct{ _ int }

// Open locks dir (made with mode 0700 when absent) and reads its index.
// Errors: *LockedError{Dir, PID} when another process owns it.
func Open(dir string, o Options) (*Store, error) { panic("contract") }

// Close checkpoints and unlocks. Versions must have been closed before.
func (s *Store) Close() error { panic("contract") }

// Dir is the store's folder.
func (s *Store) Dir() string { panic("contract") }

// Key names a version before its whole control file is known: SHA-256 of the
// header's bytes followed by ControlLength in decimal.
type Key [32]byte

// ID names a version whose whole control file is here: the SHA-256 of its
// bytes up to ControlLength.
type ID [32]byte

// HeaderKey is the Key of the header with these raw bytes (Header.Size of them).
func HeaderKey(raw []byte, h *format.Header) Key { panic("contract") }

// OpenVersion opens the version of this header, and makes it when the store
// does not have it. Every OpenVersion needs one Close; the same *Version is
// returned while it is open.
func (s *Store) OpenVersion(raw []byte, h *format.Header) (*Version, error) { panic("contract") }

// Meta is small metadata of the layers above: listings, headers, validators.
// Keys and values are theirs; a value is at most 1 MiB. MetaPut is durable after the next
// checkpoint. MetaGet: ErrNotFound.
func (s *Store) MetaGet(key string) ([]byte, error)    { panic("contract") }
func (s *Store) MetaPut(key string, value []byte) error { panic("contract") }
func (s *Store) MetaDelete(key string) error            { panic("contract") }

// State of a version.
type State int

const (
	// Provisional: blocks agreed with the control file's strong checksums.
	Provisional State = iota
	// Verified: the whole target agreed with its digests.
	Verified
	// Suspect: the whole target did not agree with its digests.
	Suspect
)

// Version is the local part of one target. Safe for concurrent use.
type Version struct{ _ int }

func (v *Version) Key() Key                { panic("contract") }
func (v *Version) Header() *format.Header  { panic("contract") }

// Known says how many blocks from b on, up to end, are here (run), starting with
// b; when b is not here run is 0 and missing counts the blocks from b on, up to end, that are not.
func (v *Version) Known(b, end format.BlockID) (run, missing int64) { panic("contract") }

// KnownCount is the number of blocks that are here.
func (v *Version) KnownCount() int64 { panic("contract") }

// ReadBlocksAt / ReadAt: bytes [off, off+len(p)), all of them in blocks that are here.
// Every block is verified against its record the first time that it is read after
// Open; one that does not match is forgotten and *DamagedError{Block} returned (the caller fetches it again).
// ErrUnknownBlock when a block of it is not here.
func (v *Version) ReadAt(p []byte, off int64) (int, error) { panic("contract") }

// Put stores verified blocks: data starts at block first and holds whole blocks (last may be short).
// They can be read when it returns and are durable after the next checkpoint.
// ErrFull-wrapping error when the disk or quota has no room: nothing changed.
func (v *Version) Put(first format.BlockID, data []byte) error { panic("contract") }

// Records returns the records of blocks r as the control file stores them, or
// ErrUnknownRecords when not all are here.
func (v *Version) Records(r format.BlockRange) ([]byte, error) { panic("contract") }

// PutControl stores bytes of the control file at off (may overlap what is here; if
// overlapping bytes that are here differ: ErrControlConflict, nothing changed).
// When that makes the control file whole (ControlLength bytes), the version gets its ID.
func (v *Version) PutControl(p []byte, off int64) error { panic("contract") }

// ControlMissing are the ranges of [0, ControlLength) that are not here, in order.
func (v *Version) ControlMissing() []format.Range { panic("contract") }

// ID is the version's ID; false while its control file is not whole.
func (v *Version) ID() (ID, bool) { panic("contract") }

func (v *Version) State() State            { panic("contract") }
func (v *Version) SetState(s State) error  { panic("contract") }

// Forget drops blocks: they are no longer here. (Used when they proved wrong.)
func (v *Version) Forget(r format.BlockRange) error { panic("contract") }

// Checkpoint makes all that was Put before durable.
func (v *Version) Checkpoint() error { panic("contract") }
func (v *Version) Close() error { panic("contract") }

// Stats is a snapshot of the store.
type Stats struct {
	Versions   int
	DataBytes  int64 // bytes of blocks that are here
	DiskBytes  int64 // bytes on the disk that the folder takes up
	FreeBytes  int64 // bytes free on its file system
}

func (s *Store) Stats() Stats { panic("contract") }
