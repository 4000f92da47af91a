package blockstore

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// Place tells apart where control files came from; its text is the caller's.
// The same header from two places makes two versions: what one server says of
// a block must not decide what is read of another's file, and a header does not
// tell whose records follow it.
type Place string

// Key names a version before its whole control file is known: SHA-256 of the
// header's bytes, ControlLength in decimal, a zero byte and its Place.
type Key [sha256.Size]byte

// ID names a version whose whole control file is here: the SHA-256 of its bytes
// up to ControlLength, a zero byte and its Place.
type ID [sha256.Size]byte

// HeaderKey is the Key of the header with these raw bytes (Header.Size of them)
// that came from place.
func HeaderKey(raw []byte, h *format.Header, place Place) Key {
	sum := sha256.New()
	sum.Write(raw)
	sum.Write(strconv.AppendInt(nil, h.ControlLength(), 10))
	sum.Write([]byte{0})
	sum.Write([]byte(place))
	return Key(sum.Sum(nil))
}

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

func (s State) String() string {
	switch s {
	case Provisional:
		return "provisional"
	case Verified:
		return "verified"
	case Suspect:
		return "suspect"
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// Version is the local part of one target. Safe for concurrent use.
type Version struct {
	store  *Store
	key    Key
	place  Place
	header *format.Header
	slot   *slot
	// nowhere says that there are no files (see Nowhere). It never changes.
	nowhere bool

	// promoting is held while the control file grows, with its I/O.
	promoting sync.Mutex
	// folder is held during a checkpoint, a rename or the end, with their I/O.
	folder    sync.Mutex
	name      string    // guarded by folder; the folder's name below versions/
	discarded bool      // guarded by folder
	newName   bool      // guarded by folder; the name is not durable yet
	manifest  *Manifest // guarded by folder; the one that is being made
	booked    account
	owners    []Key // guarded by folder; of blocks that the file of shared runs names, as the index knows for good

	// files is read-held during every use of parts, with its I/O; it is
	// write-held only to swap or close them.
	files sync.RWMutex
	parts *parts // guarded by files; nil once closed

	// writing is held by who changes the bytes of the own file, from before he looks up
	// what is there until the table has it: Put, Gather and who punches holes.
	writing sync.Mutex

	mu     sync.Mutex // no I/O while held
	table  *table     // guarded by mu
	state  State      // guarded by mu
	damage struct {   // guarded by mu
		told time.Time // when Warn was last told of a damaged block
		more int       // of those that it was not told of
	}
	id        ID                    // guarded by mu
	hasID     bool                  // guarded by mu
	pages     map[int64]struct{}    // guarded by mu; pages of "known" to be written
	unsynced  int64                 // guarded by mu; bytes put since the last snapshot
	syncing   bool                  // guarded by mu; bytes of a snapshot are being made durable
	written   int64                 // guarded by mu; room reserved for them, in bytes
	segments  map[*segment]struct{} // guarded by mu; of others, used until the end
	heat      heat                  // guarded by mu
	newShared bool                  // guarded by mu; the shared runs differ from the disk's
	sums      bool                  // guarded by mu; there is a manifest, if it is Verified
	stateLost bool                  // guarded by mu; state differs from the disk's
	diskState State                 // guarded by mu; the disk's; Verified when it may be
	strays    bool                  // guarded by mu; data may have bytes that no map speaks of
	epoch     int64                 // guarded by mu; counts condemned checkpoints

	// moves counts the changes after which bytes that a reader looked up may be
	// other bytes: who read without it having changed has read what it looked up.
	// It is changed under mu.
	moves atomic.Int64
	// losses counts the times that blocks were forgotten. It is changed under mu.
	losses atomic.Int64
	holds  atomic.Int64 // see Hold
	whole  atomic.Bool  // see WantWhole
	used   atomic.Int64 // when it was last opened, seconds since 1970
}

// Key is the version's name before its whole control file is here.
func (v *Version) Key() Key { return v.key }

// Header is the header that the version was opened with. It must not be changed.
func (v *Version) Header() *format.Header { return v.header }

// enter takes the files for use; leave must follow. Errors: ErrClosed.
func (v *Version) enter() (*parts, error) {
	v.files.RLock()
	if v.parts == nil {
		v.files.RUnlock()
		return nil, ErrClosed
	}
	return v.parts, nil
}

func (v *Version) leave() { v.files.RUnlock() }

// Known says how many blocks from b on, up to end, are here (run), starting
// with b. When b is not here, run is 0 and missing counts the blocks from b on,
// up to end, that are not. Blocks that the target does not have count as
// neither.
func (v *Version) Known(b, end format.BlockID) (run, missing int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.table.clip(format.BlockRange{Start: b, End: end})
	if b < 0 || r.Count() == 0 {
		return 0, 0
	}
	first, last := int64(r.Start), int64(r.End)
	if v.table.here.has(first) {
		return v.table.here.next(false, first, last) - first, 0
	}
	return 0, v.table.here.next(true, first, last) - first
}

// Has says whether all blocks that bytes r of the target touch are here.
func (v *Version) Has(r format.Range) bool {
	v.mu.Lock()
	blocks := v.table.geometry.Covering(r)
	v.mu.Unlock()
	run, _ := v.Known(blocks.Start, blocks.End)
	return run == blocks.Count()
}

// KnownCount is the number of blocks that are here.
func (v *Version) KnownCount() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.table.count
}

// ID is the version's ID; false while its control file is not whole.
func (v *Version) ID() (ID, bool) {
	parts, err := v.enter()
	if err != nil {
		return ID{}, false
	}
	defer v.leave()
	whole := parts.control.whole()
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.hasID || !whole {
		return ID{}, false
	}
	return v.id, true
}

// State is what is known about the target as a whole.
func (v *Version) State() State {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// SetState sets the state to Provisional or Suspect; it is durable after the next
// checkpoint.
//
// Errors: ErrInvalid; ErrClosed.
func (v *Version) SetState(s State) error {
	if s != Provisional && s != Suspect {
		return fmt.Errorf("%w: %v", ErrInvalid, s)
	}
	err := v.changeState(s, func() error { return nil })
	if err == nil && s == Suspect {
		v.Distrust()
	}
	return err
}

// Losses counts the times that blocks were forgotten, for SetVerified.
func (v *Version) Losses() int64 { return v.losses.Load() }

// SetVerified sets the state to Verified, after all blocks were read and the whole agreed
// with its digests; losses is what Losses gave before the first was read. It is durable
// after the next checkpoint. It is Provisional again when a block is forgotten and there is
// no manifest to tell what was verified, and when another block may come than was verified.
//
// Errors: ErrChanged when blocks were forgotten since, so that others may be in their
// place; ErrClosed.
func (v *Version) SetVerified(losses int64) error {
	return v.changeState(Verified, func() error {
		if v.losses.Load() != losses {
			return ErrChanged
		}
		return nil
	})
}

// changeState sets the state unless refused gives an error, which is called with mu held.
func (v *Version) changeState(s State, refused func() error) error {
	if v.nowhere {
		return nil
	}
	if _, err := v.enter(); err != nil {
		return err
	}
	defer v.leave()
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := refused(); err != nil {
		return err
	}
	v.setState(s)
	return nil
}

// setState needs mu.
func (v *Version) setState(s State) {
	if v.state != s {
		v.state, v.stateLost = s, true
	}
}

// Forget drops blocks that proved wrong, which Options.Wrong is told: they are no longer
// here. Blocks that the target does not have are left out.
//
// Errors: ErrClosed.
func (v *Version) Forget(blocks ...format.BlockRange) error {
	if v.nowhere {
		return nil
	}
	losses := v.losses.Load()
	if err := v.drop(blocks...); err != nil {
		return err
	}
	if v.losses.Load() != losses {
		v.store.options.Wrong(v.key)
	}
	return nil
}

// Distrust has Options.Wrong told of the version, because all that was read of it is wrong:
// its records are not those of the target.
func (v *Version) Distrust() {
	if !v.nowhere {
		v.store.options.Wrong(v.key)
	}
}

// drop is Forget of blocks that are right.
func (v *Version) drop(blocks ...format.BlockRange) error {
	if _, err := v.enter(); err != nil {
		return err
	}
	defer v.leave()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range blocks {
		v.forget(r)
	}
	return nil
}

// forget needs mu.
func (v *Version) forget(r format.BlockRange) {
	r = v.table.clip(format.BlockRange{Start: max(r.Start, 0), End: r.End})
	if r.Count() == 0 {
		return
	}
	runs := len(v.table.shared)
	if v.table.forget(r) > 0 {
		v.touch(r)
		v.moves.Add(1)
		v.losses.Add(1)
		v.newShared = v.newShared || runs > 0
		v.strays = true
		v.doubtLost()
	}
}

// doubtLost has a version of which blocks were forgotten be Provisional if nobody knows
// what they were. It needs mu.
func (v *Version) doubtLost() {
	if v.state == Verified && !v.sums {
		v.setState(Provisional)
	}
}

// touch has the pages of blocks r written at the next checkpoint. It needs mu.
func (v *Version) touch(r format.BlockRange) {
	for i := int64(r.Start) / pageBlocks; i <= int64(r.End-1)/pageBlocks; i++ {
		v.pages[i] = struct{}{}
	}
}

// forgetRecords drops the blocks whose records lie in bytes r of the control
// file, which was found damaged: a block without its record cannot be checked.
func (v *Version) forgetRecords(r format.Range) {
	if r.Length() == 0 {
		return
	}
	v.dropRecords(r)
	v.store.options.Warn(fmt.Errorf("blockstore: version %v: bytes %v of the control file are damaged", v.key, r))
}

// dropRecords is forgetRecords of bytes that are not known to be damaged.
func (v *Version) dropRecords(r format.Range) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(recordBlocks(v.header, r))
}

// recordBlocks are the blocks whose records lie in bytes r of h's control
// file, be it in part.
func recordBlocks(h *format.Header, r format.Range) format.BlockRange {
	size := h.RecordSize()
	return format.BlockRange{
		Start: format.BlockID(max(r.Start-h.Size, 0) / size),
		End:   format.BlockID((max(r.End-h.Size, 0) + size - 1) / size),
	}
}
