package main

import (
	"bytes"
	"errors"
	"os"

	//lint:ignore SA1019 it is the peer of this project's
	"golang.org/x/crypto/md4"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// The tools of the row are functions of this process, which never block and are
// given all of the same bytes in memory.
var (
	ownMD4     = &tool{name: "checksum", own: true}
	libraryMD4 = &tool{name: "x/crypto"}
	readMemory = &tool{name: "memory", limit: true}
)

const (
	checksumBlock  = 4096
	checksumRounds = 3 // the whole buffer each time
)

var checksumRow = row{
	name: "checksum", title: "MD4 of blocks of 4 KiB in memory, on one CPU; the limit is to look at each byte",
	tools: []*tool{ownMD4, libraryMD4, readMemory}, files: []string{lineName}, measure: checksums,
	metrics: []metric{{key: "rate", title: "summed per CPU-second", unit: "MB", timed: true, goal: timesPeer(6)}},
}

// checksums sums all blocks of an image. The sums of this project's code are held
// against the library's.
func checksums(b *bench, t *tool, repetition int) (sample, error) {
	data, err := os.ReadFile(b.original(lineName))
	if err != nil {
		return nil, err
	}
	sums, wrong := make([]byte, 0, len(data)/checksumBlock*md4.Size), false
	cpu, err := threadCPU(func() {
		for range checksumRounds {
			switch t {
			case ownMD4:
				sums = checksum.MD4.SumBlocks(sums[:0], data, checksumBlock)
			case libraryMD4:
				sums = sumWithLibrary(sums[:0], data)
			default:
				wrong = bytes.Count(data, []byte{0}) == len(data)
			}
		}
	})
	switch {
	case err != nil:
		return nil, err
	case wrong:
		return nil, errors.New("the image has only zeros")
	case t == ownMD4 && !bytes.Equal(sums, sumWithLibrary(nil, data)):
		return nil, errors.New("wrong sums")
	}
	return sample{"rate": float64(checksumRounds*len(data)) / cpu / 1e6}, nil
}

// sumWithLibrary appends the sums of all blocks.
func sumWithLibrary(dst, data []byte) []byte {
	h := md4.New()
	for len(data) >= checksumBlock {
		h.Reset()
		_, _ = h.Write(data[:checksumBlock]) // a hash does not fail
		dst, data = h.Sum(dst), data[checksumBlock:]
	}
	return dst
}
