package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// readLength is the length of a random read, in bytes.
const readLength = 4096

// sequentialBuffer is the length of a sequential read, as cp's.
const sequentialBuffer = 256 << 10

// firstRead opens a file and reads 4 KiB at off.
func firstRead(path string, off int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := make([]byte, readLength)
	_, err = f.ReadAt(p, off)
	return p, err
}

// readAll reads [start, end) of a file in order and returns the time it took,
// opening included.
func readAll(ctx context.Context, path string, start, end int64) (time.Duration, error) {
	p := make([]byte, sequentialBuffer)
	begin := time.Now()
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for off := start; off < end; {
		n, err := f.ReadAt(p[:min(int64(len(p)), end-off)], off)
		off += int64(n)
		if err != nil && (!errors.Is(err, io.EOF) || off != end) {
			return 0, fmt.Errorf("read at %d: %w", off, err)
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return time.Since(begin), nil
}

// compare reads [start, end) of two files and fails where they differ.
func compare(path, original string, start, end int64) error {
	a, err := os.Open(path)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := os.Open(original)
	if err != nil {
		return err
	}
	defer b.Close()
	p, q := make([]byte, mib), make([]byte, mib)
	for off := start; off < end; off += mib {
		n := min(mib, end-off)
		if _, err := a.ReadAt(p[:n], off); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if _, err := b.ReadAt(q[:n], off); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !bytes.Equal(p[:n], q[:n]) {
			return fmt.Errorf("wrong bytes between %d and %d", off, off+n)
		}
	}
	return nil
}

// offsets are count places for 4 KiB reads: block-aligned and odd ones in turn.
func offsets(count int, length int64, seed uint64) []int64 {
	random := rand.New(rand.NewPCG(seed, 0))
	out := make([]int64, count)
	for i := range out {
		out[i] = random.Int64N(length - readLength)
		if i%2 == 0 {
			out[i] -= out[i] % readLength
		}
	}
	return out
}

// readRandom reads 4 KiB at each of the places and returns the time it took,
// opening left out. With readahead off, the kernel asks for no more than is
// read. What came is compared with original afterwards, unless it is "".
func readRandom(ctx context.Context, path, original string, places []int64, readahead bool) (time.Duration, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if !readahead {
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
			return 0, err
		}
	}
	got := make([]byte, len(places)*readLength)
	begin := time.Now()
	for i, off := range places {
		if _, err := f.ReadAt(got[i*readLength:][:readLength], off); err != nil {
			return 0, fmt.Errorf("read at %d: %w", off, err)
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	took := time.Since(begin)
	if original == "" {
		return took, nil
	}
	return took, compareReads(got, original, places)
}

// compareReads fails unless got has what original has at the places, one read
// after the other.
func compareReads(got []byte, original string, places []int64) error {
	for i, off := range places {
		want, err := firstRead(original, off)
		if err != nil {
			return err
		}
		if !bytes.Equal(got[i*readLength:][:readLength], want) {
			return fmt.Errorf("wrong bytes at %d", off)
		}
	}
	return nil
}
