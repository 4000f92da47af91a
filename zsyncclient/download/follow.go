package download

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
)

// follower computes the digests of the file while it is still being filled, as
// far as it is complete from its start.
type follower struct {
	d      *Download
	v      *format.FileVerifier
	pos    int64 // bytes read; the goroutine's own until it ended
	err    error // likewise
	awake  chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

var errShortPart = errors.New("the file became shorter while it was read")

// newFollower starts one; it ends by stop, at the end of the file, or with ctx.
func (d *Download) newFollower(ctx context.Context) *follower {
	ctx, cancel := context.WithCancel(ctx)
	d.hashed.Store(0)
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

// pieces is how many pieces of the file are on their way from it to the digests,
// which are computed beside the reading of the next ones.
const pieces = 3

// piece is the next bytes of the file.
type piece struct {
	data  []byte
	whole []byte // the buffer that data lies in, to be used again; nil for a hole
}

func (f *follower) run(ctx context.Context) {
	defer close(f.ended)
	full, free := make(chan piece, pieces), make(chan []byte, pieces)
	for range pieces {
		free <- make([]byte, pieceLength)
	}
	var hashing sync.WaitGroup
	hashing.Go(func() {
		for p := range full {
			f.v.Write(p.data)
			f.d.hashed.Add(int64(len(p.data)))
			if p.whole != nil {
				free <- p.whole
			}
		}
	})
	f.err = f.read(ctx, full, free)
	close(full)
	hashing.Wait()
}

// read gives full the file, as it becomes complete, until ctx ends.
func (f *follower) read(ctx context.Context, full chan<- piece, free <-chan []byte) error {
	zeros := make([]byte, pieceLength)
	for f.pos < f.d.geo.Length {
		end, hole := f.complete(pieceLength)
		n := int(end - f.pos)
		switch {
		case n == 0:
			select {
			case <-ctx.Done():
				return nil
			case <-f.awake:
			}
			continue
		case hole:
			full <- piece{data: zeros[:n]}
		default:
			buf := <-free
			if err := f.take(buf[:n]); err != nil {
				return err
			}
			full <- piece{data: buf[:n], whole: buf}
		}
		f.pos = end
	}
	return nil
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
	return nil
}
