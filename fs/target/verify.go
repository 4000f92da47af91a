package target

import (
	"context"
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// verifyLength is how many bytes are read at once to verify a whole target.
const verifyLength = 1 << 20

// verifySmall brings a small target here as a whole, holds it against its
// digests and returns it. It goes by memory, so that it needs no room in the
// store.
func (t *Target) verifySmall(ctx context.Context) ([]byte, error) {
	whole := make([]byte, t.geometry.Length)
	if err := t.readMissing(ctx, whole, 0); err != nil {
		return nil, err
	}
	v := t.header.NewFileVerifier()
	v.Write(whole)
	return whole, t.conclude(v.Check())
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
		t.verifyWhole()
		t.mu.Lock()
		t.verifying = false
		t.mu.Unlock()
	}()
}

// busy says whether t is being verified.
func (t *Target) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.verifying
}

func (t *Target) verifyWhole() {
	v := t.header.NewFileVerifier()
	buf := make([]byte, min(verifyLength, t.geometry.Length))
	for off := int64(0); off < t.geometry.Length; off += int64(len(buf)) {
		if t.ctx.Err() != nil {
			return
		}
		p := buf[:min(int64(len(buf)), t.geometry.Length-off)]
		if _, err := t.version.ReadAt(p, off); err != nil {
			return // a block was damaged meanwhile: its fetch starts this again
		}
		v.Write(p)
	}
	t.conclude(v.Check())
}

// conclude records what the whole-file digests said.
func (t *Target) conclude(err error) error {
	state := blockstore.Verified
	switch {
	case errors.Is(err, format.ErrNoFileHash):
		return nil // stays provisional: nothing can be said about the whole
	case err != nil:
		state = blockstore.Suspect
	case t.version.KnownCount() < t.geometry.BlockCount():
		return nil // the store had no room: blocks will be fetched again
	}
	if serr := t.version.SetState(state); serr != nil {
		t.options.Warn(t.where(), fmt.Errorf("record the state: %w", serr))
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%w: %w", ErrSuspect, err)
	t.mu.Lock()
	first := !t.suspect
	t.suspect = true
	t.mu.Unlock()
	if first {
		t.suspected()
		t.options.Warn(t.where(), err)
		t.options.Changed(t)
	}
	return err
}
