package download

import (
	"context"
	"errors"
	"io"

	"github.com/zsyncfs/zsyncfs/format"
)

// follower computes the digests of the file while it is still being filled, as
// far as it is complete from its start.
type follower struct {
	d      *Download
	v      *format.FileVerifier
	pos    int64 // bytes given to v; the goroutine's own until it ended
	err    error // likewise
	awake  chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

var errShortPart = errors.New("the file became shorter while it was read")

// newFollower starts one; it ends by stop, at the end of the file, or with ctx.
func (d *Download) newFollower(ctx context.Context) *follower {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{d: d, v: d.h.NewFileVerifier(), awake: make(chan struct{}, 1),
		cancel: cancel, ended: make(chan struct{})}
	go f.run(ctx)
	return f
}

// wake: more of the file may be complete. It never waits.
func (f *follower) wake() {
	select {
	case f.awake <- struct{}{}:
	default:
	}
}

// stop ends the goroutine and waits for it.
func (f *follower) stop() {
	f.cancel()
	<-f.ended
}

func (f *follower) run(ctx context.Context) {
	defer close(f.ended)
	buf := make([]byte, 1<<20)
	zeros := make([]byte, len(buf))
	for f.err == nil && f.pos < f.d.geo.Length {
		end, hole := f.complete(int64(len(buf)))
		switch {
		case end > f.pos && hole:
			f.give(zeros[:end-f.pos])
		case end > f.pos:
			f.err = f.take(buf[:end-f.pos])
		default:
			select {
			case <-ctx.Done():
				return
			case <-f.awake:
			}
		}
	}
}

// complete is where the file ends to be complete, at most limit bytes on, and
// whether all of that is a hole: then it is not read, for that costs the kernel
// more than the digests of zeros.
func (f *follower) complete(limit int64) (end int64, hole bool) {
	d := f.d
	end, hole = f.pos, f.pos < d.geo.Length && !d.dense.Has(d.geo.Block(f.pos))
	for end < d.geo.Length && end-f.pos < limit {
		id := d.geo.Block(end)
		if d.unwritten.Has(id) || d.dense.Has(id) == hole {
			break
		}
		end = d.geo.Offset(id) + d.geo.BlockLength(id)
	}
	return min(end, f.pos+limit), hole
}

// take reads the next len(p) bytes of the file.
func (f *follower) take(p []byte) error {
	n, err := f.d.out.ReadAt(p, f.pos)
	if n < len(p) {
		if err == nil || errors.Is(err, io.EOF) {
			err = errShortPart
		}
		return err
	}
	f.give(p)
	return nil
}

// give takes the next bytes of the file, p, into the digests.
func (f *follower) give(p []byte) {
	f.v.Write(p)
	f.pos += int64(len(p))
	f.d.hashed.Store(f.pos)
}
