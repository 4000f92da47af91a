package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// repair is what is done when the whole does not have its digest although each
// block has its checksum: blocks that did not come over the network since the
// target was opened are forgotten and fetched. Reads wait for its end.
type repair struct{ done chan struct{} }

// noteCame notes that blocks arrived from a source. t.mu is held.
func (t *Target) noteCame(blocks format.BlockRange) {
	if t.came == nil {
		t.came = cameBlocks{}
	}
	t.came.add(blocks)
}

// neverReuse is the key under which the store is told that nothing may be reused
// for a version.
func (t *Target) neverReuse() string { return "never reuse " + t.version.Key().String() }

// mustFetch says whether blocks that were found here proved wrong before.
func (t *Target) mustFetch() bool {
	_, err := t.store.MetaGet(t.neverReuse())
	return err == nil
}

// beginRepair forgets the blocks that did not come over the network; false when
// that was tried, or there are none.
func (t *Target) beginRepair(cause error) bool {
	t.mu.Lock()
	var doubtful []format.BlockRange
	for b := format.BlockID(0); b < t.geometry.All().End; b++ {
		if t.came.has(b) {
			continue
		}
		if n := len(doubtful); n > 0 && doubtful[n-1].End == b {
			doubtful[n-1].End++
		} else {
			doubtful = append(doubtful, format.BlockRange{Start: b, End: b + 1})
		}
	}
	if t.repair != nil || len(doubtful) == 0 || t.closed {
		t.mu.Unlock()
		return false
	}
	t.repair = &repair{done: make(chan struct{})}
	t.mu.Unlock()
	t.totals.repaired.Add(1)
	t.options.Warn(t.where(), fmt.Errorf("%w; some blocks match by chance, so all that did not come from the server are fetched", cause))
	if err := t.store.MetaPut(t.neverReuse(), []byte{1}); err != nil {
		t.options.Warn(t.where(), fmt.Errorf("note that nothing may be reused: %w", err))
	}
	_ = t.version.Forget(doubtful...) // an error is that it is being closed
	return true
}

func (t *Target) endRepair() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.repair.done)
}

// repairing is closed when no repair is under way any more; nil when none is.
func (t *Target) repairing() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.repair == nil {
		return nil
	}
	select {
	case <-t.repair.done:
		return nil
	default:
		return t.repair.done
	}
}

// unsettled says whether reads must wait for settled.
func (t *Target) unsettled() bool { return t.unproved() || t.repairing() != nil }

// unproved says whether nothing may be served, because the whole is not verified.
func (t *Target) unproved() bool { return t.options.Strict && !t.isVerified() }

// ErrUnverifiable is the error of reads of a target that is to be served only when
// it is verified, and cannot be: its control file has no digest of the whole.
var ErrUnverifiable = errors.New("the control file has no digest of the whole file to verify it by")

// Patience is how long a read may take that usually may take deadline: where the
// whole is verified before a byte is served, as long as that goes on.
func (t *Target) Patience(deadline time.Duration) time.Duration {
	if t.unproved() {
		return 30 * 24 * time.Hour
	}
	return deadline
}

// isDigesting says whether the whole is being read to verify it.
func (t *Target) isDigesting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.digesting
}

// settleStep is how often settled looks whether what it waits for can still come.
const settleStep = time.Second

// settled waits for a repair to end, and where only what is verified is served, for
// that, as long as blocks come. Errors: ErrSuspect; ErrUnverifiable; ErrStalled; those of
// the store for want of room; ctx's.
func (t *Target) settled(ctx context.Context) error {
	known, fetched, since := int64(-1), int64(-1), time.Now()
	if t.unproved() && t.version.KnownCount() == t.geometry.BlockCount() {
		t.startVerification() // a disk that failed may have brought blocks back
	}
	for {
		wait := t.repairing()
		if wait == nil && t.unproved() {
			if len(t.header.FileHashes) == 0 {
				return ErrUnverifiable
			}
			if t.wantsWhole() {
				return nil // the read does that itself
			}
			wait = t.proved()
		}
		if wait == nil {
			return nil
		}
		// A stream passes what is here before it brings what is not.
		if n, m := t.version.KnownCount(), t.fetched.Load(); n != known || m != fetched || t.isDigesting() {
			known, fetched, since = n, m, time.Now()
		} else if err := t.hopeless(known, time.Since(since)); err != nil {
			return err
		}
		t.startFill()
		step := time.NewTimer(min(settleStep, t.options.ReadDeadline))
		select {
		case <-wait:
		case <-step.C:
		case <-ctx.Done():
		}
		step.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := t.usable(); err != nil {
			return err
		}
	}
}

// hopeless is why to wait no longer, when known blocks are here and none came for as long
// as idle; nil when some may come. Errors: ErrStalled; those of the store for want of room.
func (t *Target) hopeless(known int64, idle time.Duration) error {
	t.mu.Lock()
	lack := t.lack
	t.mu.Unlock()
	if lack != nil && known < t.geometry.BlockCount() {
		return fmt.Errorf("all of it is to be verified first, and the store does not take all: %d of %d blocks are here: %w", known, t.geometry.BlockCount(), lack)
	}
	if idle < t.options.ReadDeadline {
		return nil
	}
	return fmt.Errorf("%w: %d of %d blocks of what is to be verified first are here", ErrStalled, known, t.geometry.BlockCount())
}

// verifyRounds is how often the whole is verified when blocks were forgotten and came
// again while it was read.
const verifyRounds = 3

// verifyAndRepair verifies the whole, and fetches what only looked right. It returns what
// was found last.
func (t *Target) verifyAndRepair() (last verdict) {
	for range verifyRounds {
		if last = t.verifyAndRepairOnce(); !t.changedSince(last) {
			break
		}
	}
	return last
}

// changedSince says whether the whole is here and not verified, and blocks of it came
// again since it was looked at last.
func (t *Target) changedSince(last verdict) bool {
	return t.version.State() == blockstore.Provisional && (!last.done || t.version.Losses() != last.losses) && t.ctx.Err() == nil &&
		t.version.KnownCount() == t.geometry.BlockCount()
}

func (t *Target) verifyAndRepairOnce() verdict {
	found := t.verifyWhole()
	if err := found.err; found.done && err != nil && !errors.Is(err, format.ErrNoFileHash) {
		if t.beginRepair(err) {
			defer t.endRepair()
			if t.fetchMissing(zsyncclient.Foreground) != nil {
				return found
			}
			found = t.verifyWhole()
		} else if t.repairing() != nil { // by who reads a small target
			found.done = false
		}
	}
	if found.done {
		t.conclude(found)
	}
	return found
}
