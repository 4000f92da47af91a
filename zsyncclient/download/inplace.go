package download

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/sparse"
)

// inPlace is what a file that is being resumed holds, in blocks.
type inPlace struct {
	// right blocks match where they stand, other ones hold something else that is
	// not just zeros.
	right, other int64
	// known are the runs of right blocks.
	known []format.BlockRange
}

// pieceLength is about how many bytes are checked at a time.
const pieceLength = 1 << 20

// piecesMemory is what the pieces that are checked side by side may take together,
// in bytes: a block may be as long as 16 MiB, and a machine have many cores.
const piecesMemory = 64 << 20

// checkInPlace checks each block of the first size bytes of f where it stands.
func (d *Download) checkInPlace(ctx context.Context, kind Kind, f *os.File, size int64) (inPlace, error) {
	d.begin(kind, f.Name(), size)
	per := format.BlockID(max(pieceLength/d.geo.BlockSize, 1))
	end := d.geo.Covering(format.Range{Start: 0, End: size}).End
	var (
		mu    sync.Mutex
		total inPlace        // guarded by mu
		next  format.BlockID // guarded by mu
		first error          // guarded by mu
		wg    sync.WaitGroup
	)
	take := func() (format.BlockRange, bool) {
		mu.Lock()
		defer mu.Unlock()
		r := format.BlockRange{Start: next, End: min(next+per, end)}
		next = r.End
		return r, r.Start < r.End && first == nil && ctx.Err() == nil
	}
	piece := int64(per) * d.geo.BlockSize
	for range min(int64(d.workers()), max(piecesMemory/piece, 1)) {
		wg.Go(func() {
			buf := make([]byte, piece)
			for r, ok := take(); ok; r, ok = take() {
				got, err := d.checkPiece(f, r, size, buf)
				d.done.Add(d.geo.Bytes(r).Length())
				mu.Lock()
				total.right += got.right
				total.other += got.other
				total.known = append(total.known, got.known...)
				if first == nil {
					first = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if first == nil {
		first = ctx.Err()
	}
	return total, first
}

// checkPiece checks blocks r.
func (d *Download) checkPiece(f *os.File, r format.BlockRange, size int64, buf []byte) (inPlace, error) {
	bytes := d.geo.Bytes(r)
	data := buf[:bytes.Length()]
	if sparse.Empty(f, bytes.Start, bytes.End, size) {
		clear(data)
	} else {
		n, err := f.ReadAt(data[:min(bytes.End, size)-bytes.Start], bytes.Start)
		if err != nil && !errors.Is(err, io.EOF) {
			return inPlace{}, err
		}
		clear(data[n:])
	}
	record := d.h.RecordSize()
	var out inPlace
	for id := r.Start; id < r.End; {
		at := d.geo.Offset(id) - bytes.Start
		right := format.BlockID(d.h.VerifyBlocks(id, data[at:], d.o.Records[int64(id)*record:int64(r.End)*record]))
		if right > 0 {
			out.known = append(out.known, format.BlockRange{Start: id, End: id + right})
			out.right += int64(right)
			id += right
			continue
		}
		if !allZero(data[at : at+d.geo.BlockLength(id)]) {
			out.other++
		}
		id++
	}
	return out, nil
}

func (d *Download) workers() int {
	if d.o.Workers > 0 {
		return d.o.Workers
	}
	return runtime.GOMAXPROCS(0)
}
