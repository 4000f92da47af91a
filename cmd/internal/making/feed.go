package making

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Feed writes all of f to w, which computes checksums, and reads ahead
// meanwhile. Between pieces it looks at ctx, and at the fingerprint of f: no
// use in reading on when that is no longer want, which Settled gave.
//
// Errors: ErrChanged; ctx.Err() soon after ctx ends; those of reading and of w.
func Feed(ctx context.Context, w io.Writer, f *os.File, want Fingerprint) error {
	off := int64(0)
	next := func(buf []byte) (int, error) {
		if off == want.Length {
			return 0, io.EOF
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), want.Length-off)], off)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if now, err := fingerprint(f); err != nil || now != want || n == 0 {
			return 0, errors.Join(ErrChanged, err)
		}
		off += int64(n)
		return n, nil
	}
	if want.Length <= pieceLength { // reading ahead would find nothing
		return feedPiece(ctx, w, next, want.Length)
	}
	return ahead(ctx, w, next, true)
}

// FeedStream writes all that r has to w, which computes checksums, and reads
// ahead meanwhile. The memory that it takes does not grow with the stream.
//
// When ctx ends while r blocks, FeedStream returns at once, and the goroutine
// that reads ends only when r does: r must then not be used any more.
//
// Errors: ctx.Err() soon after ctx ends; those of r and of w.
func FeedStream(ctx context.Context, w io.Writer, r io.Reader) error {
	return ahead(ctx, w, func(buf []byte) (int, error) {
		n, err := io.ReadFull(r, buf)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return n, err
	}, false)
}

const (
	// pieceLength is the number of bytes that are read at a time. The checksums
	// are computed on several cores when they get a MiB or more.
	pieceLength = 2 << 20
	// pieceCount is one piece that is summed, one that is read, and one between.
	pieceCount = 3
)

// feedPiece is ahead for length bytes, in no more than one piece.
func feedPiece(ctx context.Context, w io.Writer, next func([]byte) (int, error), length int64) error {
	buf := make([]byte, max(length, 1))
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := next(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := sum(w, buf[:n]); err != nil {
			return err
		}
	}
}

// piece is what one call of next gave.
type piece struct {
	data []byte // cut from a buffer of pieceLength
	err  error
}

// ahead calls next in a goroutine of its own, until it gives io.EOF (bytes may
// come with it), and writes each piece to w. With wait, it returns only when
// the goroutine has ended.
func ahead(ctx context.Context, w io.Writer, next func([]byte) (int, error), wait bool) error {
	ctx, stop := context.WithCancel(ctx)
	free := make(chan []byte, pieceCount)
	for range pieceCount {
		free <- nil // taken when it is needed: short streams need only one
	}
	// There is room for all of them and an error after them, so no send blocks.
	pieces := make(chan piece, pieceCount+1)
	go readPieces(ctx, next, free, pieces)
	defer func() {
		stop()
		for wait {
			_, wait = <-pieces
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-pieces:
			if p.err != nil && !errors.Is(p.err, io.EOF) {
				return p.err
			}
			if err := sum(w, p.data); err != nil || p.err != nil {
				return err
			}
			free <- p.data[:cap(p.data)]
		}
	}
}

// readPieces is the goroutine of ahead. It closes pieces at its end.
func readPieces(ctx context.Context, next func([]byte) (int, error), free <-chan []byte, pieces chan<- piece) {
	defer close(pieces)
	for {
		select {
		case <-ctx.Done():
			pieces <- piece{err: ctx.Err()}
			return
		case buf := <-free:
			if buf == nil {
				buf = make([]byte, pieceLength)
			}
			n, err := next(buf)
			pieces <- piece{data: buf[:n:len(buf)], err: err}
			if err != nil {
				return
			}
		}
	}
}

func sum(w io.Writer, data []byte) error {
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("compute checksums: %w", err)
	}
	return nil
}
