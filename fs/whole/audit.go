package whole

import (
	"context"
	"errors"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

// Audit is what was found of a version that is in the store.
type Audit struct {
	// Blocks that are here and right, and those that were damaged, which are
	// forgotten.
	Blocks, Damaged int64
	// Complete: all blocks are here. State is the version's, after that.
	Complete bool
	State    blockstore.State
}

// Check reads all blocks of v from the disk and holds them against their checksums,
// and a complete version against its digests: when these do not agree, all of its
// blocks are forgotten. progress is told of bytes; it may be nil.
//
// Errors: those of the disk; ctx's.
func Check(ctx context.Context, v *blockstore.Version, progress func(bytes int64)) (a Audit, err error) {
	h := v.Header()
	verifier := h.NewFileVerifier()
	losses := v.Losses()
	next, done := format.BlockID(0), int64(0)
	a.Damaged, err = v.Recheck(ctx, func(first format.BlockID, data []byte) error {
		if first == next {
			verifier.Write(data)
			next += format.BlockID((int64(len(data)) + h.BlockSize - 1) / h.BlockSize)
		}
		if done += int64(len(data)); progress != nil {
			progress(done)
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	a.Blocks = v.KnownCount()
	a.Complete = a.Blocks == h.Geometry().BlockCount()
	if a.Complete && next == h.Geometry().All().End {
		err = judge(v, verifier.Check(), losses)
	}
	a.State = v.State()
	if a.State != blockstore.Suspect {
		a.Blocks, a.Complete = v.KnownCount(), v.KnownCount() == h.Geometry().BlockCount()
	}
	return a, err
}

// judge records what the digests of the whole said, unless blocks were forgotten since
// losses: others may be in their place.
func judge(v *blockstore.Version, verdict error, losses int64) error {
	switch {
	case errors.Is(verdict, format.ErrNoFileHash), v.Losses() != losses:
		return nil
	case verdict == nil:
		if err := v.SetVerified(losses); !errors.Is(err, blockstore.ErrChanged) {
			return err
		}
		return nil
	}
	return errors.Join(v.Forget(v.Header().Geometry().All()), v.SetState(blockstore.Provisional))
}
