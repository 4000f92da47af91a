package blockstore

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// checkTables holds the indexes inside badger's table files against their
// checksums. Badger does so too, but only after it has believed the lengths in
// them, in a goroutine where a panic ends the process; the blocks of a table
// it checks well. The end of a table file is:
//
//	index, its length (4 bytes), checksum, its length (4 bytes); big-endian
func checkTables(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := checkTable(path); err != nil {
			return fmt.Errorf("table %s: %w", filepath.Base(path), err)
		}
	}
	return nil
}

func checkTable(path string) error {
	f, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end := info.Size()
	// field reads what ends at end, behind which stands its length.
	field := func() ([]byte, error) {
		var length [4]byte
		if end -= 4; end < 0 {
			return nil, errIndex
		}
		if _, err := f.ReadAt(length[:], end); err != nil {
			return nil, err
		}
		n := int64(binary.BigEndian.Uint32(length[:]))
		if end -= n; end < 0 {
			return nil, errIndex
		}
		p := make([]byte, n)
		_, err := f.ReadAt(p, end)
		return p, err
	}
	text, err := field()
	if err != nil {
		return err
	}
	var sum pb.Checksum
	if err := proto.Unmarshal(text, &sum); err != nil {
		return err
	}
	index, err := field()
	if err != nil {
		return err
	}
	return y.VerifyChecksum(index, &sum)
}
