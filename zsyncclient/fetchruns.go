package zsyncclient

import (
	"context"
	"errors"

	"github.com/zsyncfs/zsyncfs/format"
)

var errRuns = errors.New("runs of blocks are not ascending, disjoint and inside of the target")

// FetchRuns fetches the blocks of runs (ascending, disjoint, none empty), verifies
// each block and gives verified runs to deliver as they arrive; deliver may be
// called by several goroutines at once. Errors as Fetch.
func (s *Source) FetchRuns(ctx context.Context, runs []format.BlockRange, pri Priority,
	records func(context.Context, format.BlockRange) ([]byte, error),
	deliver func(first format.BlockID, data []byte) error) error {
	next := format.BlockID(0)
	for _, r := range runs {
		if r.Start < next || r.End <= r.Start || r.End > s.geo.All().End {
			return errRuns
		}
		next = r.End
	}
	for _, r := range runs {
		if err := s.Fetch(ctx, r, pri, records, deliver); err != nil {
			return err
		}
	}
	return nil
}
