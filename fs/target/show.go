package target

import (
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// readCost is what a read that a kernel could have answered by itself costs, in
// bytes that could be checked in its time: about 50 microseconds.
const readCost = 100 << 10

// ErrNotShown says that a target cannot be read past this package just now.
var ErrNotShown = errors.New("not all of it is here, verified, checked, on the disk and in one file")

// Show opens the file that has the target from its first byte on, for a kernel that
// reads it by itself: the whole agreed with its digest, and every block was held
// against its record since the store was opened, and is on the disk. The file may be
// longer than the target; its bytes stay as they are until Close.
//
// Errors: ErrNotShown (wrapped), also when the disk cannot do it, which the store
// tells; ErrClosed. Safe for concurrent use.
func (t *Target) Show() (*blockstore.Data, error) {
	if !t.CanShow() {
		return nil, ErrNotShown
	}
	data, err := t.version.ShowData()
	if err != nil && !errors.Is(err, blockstore.ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrNotShown, err)
	}
	return data, err
}

// CanShow says whether Show may succeed. Safe for concurrent use.
func (t *Target) CanShow() bool {
	return t.isVerified() && t.usable() == nil && !t.unsettled() && t.version.Shares() == 0 && t.version.IsChecked() && t.version.IsDurable()
}

// noteServed counts a read of n bytes that was answered from the store. When those
// together cost as much as to check what is left unchecked, and to bring into one file
// what others have taken (blockstore.Version.OpenData), that is done, so that a kernel can
// answer the next ones: not sooner, for many who open a large file read little of it.
func (t *Target) noteServed(n int) {
	if t.options.Showable == nil || t.served.Add(int64(max(n, readCost))) < t.geometry.Length {
		return
	}
	t.served.Store(0)
	if !t.isVerified() || t.version.IsChecked() && (t.version.Shares() == 0 || t.apart.Load() || t.gatherDue.Load()) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.checking {
		return
	}
	t.checking = true
	t.begin(func() {
		t.checkRest()
		if !t.apart.Load() && !t.gather((*blockstore.Version).IsNewer) { // or two would take turns
			t.apart.Store(true)
		}
		t.mu.Lock()
		t.checking = false
		t.mu.Unlock()
		t.announce()
	})
}

// checkRest holds the blocks that nobody read yet against their records.
func (t *Target) checkRest() {
	buf := make([]byte, max(verifyLength/t.geometry.BlockSize, 1)*t.geometry.BlockSize)
	for b := format.BlockID(0); t.ctx.Err() == nil; {
		r := t.version.Unchecked(b)
		if r.Count() == 0 {
			return
		}
		at := t.geometry.Bytes(r)
		at.End = min(at.End, at.Start+int64(len(buf)))
		if _, err := t.version.ReadAt(buf[:at.Length()], at.Start); err != nil {
			return // a block was damaged: who reads it fetches it
		}
		b = t.geometry.Block(at.End + t.geometry.BlockSize - 1)
	}
}

// announce tells that Show may succeed from now on. What a kernel reads by itself is
// made durable first, if it is not; so this may wait for the disk.
func (t *Target) announce() {
	if t.options.Showable == nil || !t.isVerified() {
		return
	}
	if !t.version.IsDurable() {
		_ = t.version.Checkpoint() // the store tells what fails
	}
	if t.CanShow() {
		t.options.Showable(t)
	}
}

// gatherAgain tries once more what could not be moved while the kernel had the file.
func (t *Target) gatherAgain() {
	if !t.gatherDue.CompareAndSwap(true, false) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.begin(func() {
		t.gather((*blockstore.Version).IsNewest)
		t.announce()
	})
}
