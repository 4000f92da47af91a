package blockstore

import (
	"context"
	"errors"

	"github.com/zsyncfs/zsyncfs/format"
)

// Recheck reads every block that is here from the disk and holds it against its
// record, also those that were read before. Those that do not match are forgotten,
// as by ReadAt, and counted. visit is given the bytes of those that do, in order;
// it may be nil. Readers go on meanwhile.
//
// Errors: of the disk; ErrClosed; ctx's; visit's. Safe for concurrent use.
func (v *Version) Recheck(ctx context.Context, visit func(first format.BlockID, data []byte) error) (damaged int64, err error) {
	if v.nowhere {
		return 0, nil
	}
	g := v.geometry()
	step := format.BlockID(max(moveStep/g.BlockSize, 1))
	buf := make([]byte, int64(step)*g.BlockSize)
	for b := format.BlockID(0); b < g.All().End; {
		if ctx.Err() != nil {
			return damaged, context.Cause(ctx)
		}
		run, missing := v.Known(b, min(b+step, g.All().End))
		if run == 0 {
			b += format.BlockID(max(missing, 1))
			continue
		}
		blocks := format.BlockRange{Start: b, End: b + format.BlockID(run)}
		v.mu.Lock()
		v.table.checked.clear(int64(blocks.Start), int64(blocks.End))
		v.mu.Unlock()
		at := g.Bytes(blocks)
		n, err := v.ReadAt(buf[:at.Length()], at.Start)
		good := format.BlockRange{Start: b, End: g.Block(at.Start + int64(n))}
		if err == nil {
			good = blocks
		}
		if bad, _ := v.differing(good, buf[:g.Bytes(good).Length()]); len(bad) > 0 {
			for _, b := range bad {
				_ = v.damaged(b, ErrOtherContent)
			}
			damaged += int64(len(bad))
			b = good.End
			continue
		}
		if good.Count() > 0 && visit != nil {
			if err := visit(b, buf[:g.Bytes(good).Length()]); err != nil {
				return damaged, err
			}
		}
		b = good.End
		var bad *DamagedError
		switch {
		case errors.As(err, &bad):
			damaged++
			b = max(b, bad.Block) + 1
		case err != nil && !errors.Is(err, ErrUnknownBlock):
			return damaged, err
		}
	}
	return damaged, nil
}
