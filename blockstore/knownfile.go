package blockstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// The file "known" is a sequence of pages. Page i says which of the blocks
// from i*pageBlocks on are here:
//
//	0     bitmap; bit j of byte k is block i*pageBlocks + 8*k + j
//	4080  kind of the page, 4 bytes: pageOwn
//	4084  i, 8 bytes
//	4092  CRC-32C of the version's Key and the 4092 bytes before
//
// Numbers are little-endian. A page of zero bytes, or past the end of the
// file, says that no block is here. A page that is wrong says nothing.
const (
	pageSize   = 4096
	pageBitmap = 4080
	pageBlocks = pageBitmap * 8

	// pageOwn is the kind of a page about blocks in the version's own data file.
	pageOwn = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errPage = errors.New("wrong checksum or number")

func pageCount(blocks int64) int64 { return (blocks + pageBlocks - 1) / pageBlocks }

// pageSum is the checksum of page p of the version key.
func pageSum(p []byte, key Key) uint32 {
	return crc32.Update(crc32.Checksum(key[:], castagnoli), castagnoli, p[:pageSize-4])
}

// encodePage writes page i of s into p, which is pageSize long.
func encodePage(p []byte, s *bitset, i int64, key Key) {
	clear(p)
	if i < int64(len(s.pages)) {
		s.putPage(i, p)
	}
	binary.LittleEndian.PutUint32(p[pageBitmap:], pageOwn)
	binary.LittleEndian.PutUint64(p[pageBitmap+4:], uint64(i))
	binary.LittleEndian.PutUint32(p[pageSize-4:], pageSum(p, key))
}

// decodePage sets the bits of page i in s, which are clear before, to what p
// says. When that is wrong they stay clear and the error is errPage.
func decodePage(p []byte, s *bitset, blocks, i int64, key Key) error {
	if len(p) != pageSize || i < 0 || i >= pageCount(blocks) {
		return errPage
	}
	if allZero(p) {
		return nil
	}
	if binary.LittleEndian.Uint32(p[pageSize-4:]) != pageSum(p, key) ||
		binary.LittleEndian.Uint32(p[pageBitmap:]) != pageOwn ||
		binary.LittleEndian.Uint64(p[pageBitmap+4:]) != uint64(i) {
		return errPage
	}
	s.setPage(i, p[:pageBitmap])
	return nil
}

var zeroPage [pageSize]byte

func allZero(p []byte) bool { return len(p) <= pageSize && bytes.Equal(p, zeroPage[:len(p)]) }

// readKnown sets the pages of s that want says (all when it is nil) from f.
// Pages that cannot be read or are wrong stay as they are, clear, and the
// error names the first.
func readKnown(f io.ReaderAt, s *bitset, blocks int64, key Key, want []int64) error {
	var wrong error
	count, r := int64(0), newPageReader(f, pageCount(blocks))
	one := func(i int64) bool {
		p, err := r.page(i)
		if len(p) == 0 && err == io.EOF {
			return false
		}
		if err == nil {
			err = decodePage(p, s, blocks, i, key)
		}
		if err != nil {
			count++
			wrong = fmt.Errorf("%d pages of the known map are damaged, such as page %d: %w", count, i, err)
		}
		return true
	}
	if want == nil {
		for i := r.skipHole(0); i < pageCount(blocks) && one(i); {
			i = r.skipHole(i + 1)
		}
		return wrong
	}
	for _, i := range want {
		one(i)
	}
	return wrong
}

// knownPage is one page on its way to the disk.
type knownPage struct {
	number int64
	data   []byte
}

func writeKnown(f *os.File, pages []knownPage) error {
	for _, p := range pages {
		if _, err := f.WriteAt(p.data, p.number*pageSize); err != nil {
			return writeError("write the known map", err)
		}
	}
	failpoint("checkpoint.known written")
	if err := fdatasync(f); err != nil {
		return writeError("write the known map", err)
	}
	return nil
}
