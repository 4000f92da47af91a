package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// verifyLength is how many bytes are read at once to verify a whole target.
const verifyLength = 1 << 20

// verifySmall brings a small target here as a whole, holds it against its
// digests, repairs it, and returns it. It goes by memory, so that it needs no room in the
// store.
func (t *Target) verifySmall(ctx context.Context) ([]byte, error) {
	whole := make([]byte, t.geometry.Length)
	for round := 1; ; round++ {
		out := verdict{losses: t.version.Losses(), done: true}
		if err := t.readMissing(ctx, whole, 0, true); err != nil {
			return nil, err
		}
		v := t.header.NewFileVerifier()
		v.Write(whole)
		if out.err = v.Check(); out.err == nil {
			if t.keepOnly(whole) {
				return whole, t.conclude(out)
			}
			return whole, nil
		}
		beside := t.version.Losses() != out.losses
		if beside && round < verifyRounds || t.repairSmall(ctx, out.err) {
			continue
		}
		if err := t.conclude(out); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("its blocks go while it is verified: %w", out.err)
	}
}

// repairSmall repairs a small target that is wrong as a whole, or waits for who does; the
// next look fetches what is missing then. false: that was done.
func (t *Target) repairSmall(ctx context.Context, cause error) bool {
	if t.beginRepair(cause) {
		t.endRepair()
		return true
	}
	done := t.repairing()
	if done == nil {
		return false
	}
	select {
	case <-done:
	case <-ctx.Done(): // which the next look tells
	}
	return true
}

// keepOnly forgets those blocks in the store that are not what whole has, which was
// verified: what a reader was given by a fetch may not be what somebody else put. It says
// whether all were there, and none is forgotten.
func (t *Target) keepOnly(whole []byte) (all bool) {
	all = true
	buf := make([]byte, min(t.geometry.BlockSize, t.geometry.Length))
	for b := format.BlockID(0); b < t.geometry.All().End; b++ {
		one := format.BlockRange{Start: b, End: b + 1}
		r := t.geometry.Bytes(one)
		got := buf[:r.Length()]
		switch _, err := t.version.ReadAt(got, r.Start); {
		case err != nil && !errors.Is(err, io.EOF):
			all = false
		case !bytes.Equal(got, whole[r.Start:r.End]):
			all = false
			_ = t.version.Forget(one) // an error is that it is closed
		}
	}
	return all
}

// startVerification verifies the whole target in the background, once.
func (t *Target) startVerification() {
	if t.version.State() != blockstore.Provisional {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.verifying || t.closed || t.suspect {
		return
	}
	t.verifying = true
	t.work.Add(1)
	go func() {
		defer t.work.Done()
		last := t.verifyAndRepair()
		t.gather((*blockstore.Version).IsNewest)
		t.mu.Lock()
		t.verifying = false
		close(t.verified)
		t.verified = make(chan struct{})
		t.mu.Unlock()
		if t.changedSince(last) { // nobody else starts it for what came meanwhile
			t.startVerification()
		}
		t.announce()
	}()
}

// busy says whether t is being verified, or has other work that is to be ended.
func (t *Target) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.verifying || t.tasks > 0
}

// isVerified says whether the whole agreed with its digests.
func (t *Target) isVerified() bool { return t.version.State() == blockstore.Verified }

// proved is closed when a verification has ended.
func (t *Target) proved() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.verified
}

// gather makes a version that is verified whole in its own file, when it is the
// newest of those that it shares blocks with: the newest is read most. It says whether to
// try again may be of use.
func (t *Target) gather(newest func(*blockstore.Version) bool) (again bool) {
	if !t.isVerified() || t.version.Shares() == 0 {
		return true
	}
	if !newest(t.version) {
		return false
	}
	err := t.version.Gather(t.ctx)
	switch {
	case errors.Is(err, blockstore.ErrInUse):
		t.gatherDue.Store(true)
		return true
	case err != nil && t.ctx.Err() == nil:
		t.options.Warn(t.where(), fmt.Errorf("bring its blocks into one file: %w", err))
	}
	return err == nil
}

// verdict is what was found of the whole.
type verdict struct {
	err    error // of the digests
	losses int64 // of the version, from before it was read
	done   bool  // all of it was read, and nothing was forgotten meanwhile
}

// verifyWhole holds the whole target against its digests.
func (t *Target) verifyWhole() verdict {
	t.setDigesting(true)
	defer t.setDigesting(false)
	out := verdict{losses: t.version.Losses()}
	v, manifest := t.header.NewFileVerifier(), t.version.NewManifest()
	defer manifest.Abort()
	buf := make([]byte, min(verifyLength, t.geometry.Length))
	for off := int64(0); off < t.geometry.Length; off += int64(len(buf)) {
		if t.ctx.Err() != nil {
			return out
		}
		p := buf[:min(int64(len(buf)), t.geometry.Length-off)]
		if _, err := t.version.ReadAt(p, off); err != nil {
			return out // a block was damaged meanwhile: its fetch starts this again
		}
		var beside sync.WaitGroup
		beside.Go(func() { manifest.Write(p) })
		v.Write(p)
		beside.Wait()
	}
	out.err, out.done = v.Check(), t.version.Losses() == out.losses
	if out.err == nil && out.done {
		_ = manifest.Commit() // a cache, of whose trouble the store tells
	}
	return out
}

func (t *Target) setDigesting(b bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.digesting = b
}

// conclude records what was found of the whole, and returns why it is suspect.
func (t *Target) conclude(found verdict) error {
	err := found.err
	record := func() error { return t.version.SetVerified(found.losses) }
	switch {
	case errors.Is(err, format.ErrNoFileHash):
		return nil // stays provisional: nothing can be said about the whole
	case err != nil && t.version.Losses() != found.losses:
		return nil // nothing is known of what came instead
	case err != nil:
		record = func() error { return t.version.SetState(blockstore.Suspect) }
	case t.version.KnownCount() < t.geometry.BlockCount():
		return nil // the store had no room: blocks will be fetched again
	}
	switch serr := record(); {
	case errors.Is(serr, blockstore.ErrChanged):
		return nil // nothing is known of what came instead
	case serr != nil:
		t.options.Warn(t.where(), fmt.Errorf("record the state: %w", serr))
	}
	if err == nil {
		t.totals.verified.Add(1)
		return nil
	}
	err = fmt.Errorf("%w: %w", ErrSuspect, err)
	t.mu.Lock()
	first := !t.suspect
	t.suspect = true
	t.mu.Unlock()
	if first {
		t.totals.suspect.Add(1)
		t.suspected()
		t.options.Warn(t.where(), err)
	}
	return err
}
