package blockstore

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// The file "index/log", little-endian, is a head and records:
//
//	0    "zsyncfsI"
//	8    layout, 2 bytes: 1
//	10   zero, 2 bytes
//	12   random, 4 bytes: tells one file from the next
//	16   CRC-32C of the 16 bytes before
//
//	0    length of the entries, 4 bytes
//	4    1 when the record ends a batch, or 0; 4 bytes
//	8    number of the record in the file, from 0; 8 bytes
//	16   entries
//	...  CRC-32C, 4 bytes, of these three numbers and the entries, begun with
//	     the CRC-32C of the record before, or of the head
//
// and an entry is
//
//	0    length of the key, 2 bytes, not 0
//	2    length of the value, 4 bytes; 0xffffffff: the key is deleted
//	6    key, value
//
// The first batch is a snapshot: all that the index held when the file was
// made. Each later one is what one checkpoint changed. A batch counts when its
// last record is there; as each checksum goes on from the one before, bytes
// that an earlier file, or an end that was cut off, left behind a torn end do
// not pass for its continuation.
const (
	logMagic      = "zsyncfsI"
	logLayout     = 1
	logHead       = 20
	recordHead    = 16
	recordSum     = 4
	entryHead     = 6
	deletedLength = 1<<32 - 1

	// recordRoom is what a record is filled to when there is more than one
	// entry, in bytes of entries.
	recordRoom = 64 << 10
	// maxRecord is the longest that the entries of a record can be, in bytes.
	maxRecord = max(recordRoom, entryHead+maxIndexKey+maxIndexValue)
)

// errLog: the file is damaged from here on, or ends in a batch that is not
// whole.
var errLog = errors.New("damaged or cut short")

// logEnd is a place between two records.
type logEnd struct {
	size   int64 // bytes of the file up to here
	number uint64
	sum    uint32
}

// encodeHead is the head of a new file.
func encodeHead(random uint32) ([]byte, logEnd) {
	le := binary.LittleEndian
	p := le.AppendUint16([]byte(logMagic), logLayout)
	p = appendSum(le.AppendUint32(append(p, 0, 0), random))
	return p, logEnd{size: logHead, sum: le.Uint32(p[logHead-4:])}
}

// record is one that is being made. The zero value is empty.
type record struct{ p []byte }

// size is the length of the entries.
func (r *record) size() int { return max(len(r.p)-recordHead, 0) }

// fits reports whether an entry can be added without making the record longer
// than it should be.
func (r *record) fits(key, value []byte) bool {
	return r.size() == 0 || r.size()+entryHead+len(key)+len(value) <= recordRoom
}

// add adds an entry within the bounds; a nil value deletes the key.
func (r *record) add(key, value []byte) {
	le := binary.LittleEndian
	if len(r.p) == 0 {
		r.p = append(r.p, make([]byte, recordHead)...)
	}
	length := uint32(deletedLength)
	if value != nil {
		length = uint32(len(value))
	}
	r.p = le.AppendUint32(le.AppendUint16(r.p, uint16(len(key))), length)
	r.p = append(append(r.p, key...), value...)
}

// take is the record's bytes, to stand at end, which is moved behind them. The
// record is empty then; the bytes are valid until it is next used.
func (r *record) take(last bool, end *logEnd) []byte {
	le := binary.LittleEndian
	p := r.p
	if len(p) == 0 {
		p = make([]byte, recordHead)
	}
	le.PutUint32(p, uint32(len(p)-recordHead))
	le.PutUint32(p[4:], 0)
	if last {
		p[4] = 1
	}
	le.PutUint64(p[8:], end.number)
	end.sum = crc32.Update(end.sum, castagnoli, p)
	p = le.AppendUint32(p, end.sum)
	end.size += int64(len(p))
	end.number++
	r.p = p[:0]
	return p
}

// nextEntry is the first entry of p, which is not empty; value is nil when the
// key is deleted. Both lie in p. Errors: errLog.
func nextEntry(p []byte) (key, value, rest []byte, err error) {
	le := binary.LittleEndian
	if len(p) < entryHead {
		return nil, nil, nil, errLog
	}
	n, length := int(le.Uint16(p)), int64(le.Uint32(p[2:]))
	p = p[entryHead:]
	deleted := length == deletedLength
	if deleted {
		length = 0
	}
	if n == 0 || n > maxIndexKey || length > int64(maxIndexValue) || int64(len(p)) < int64(n)+length {
		return nil, nil, nil, errLog
	}
	end := n + int(length)
	if !deleted {
		value = p[n:end:end]
	}
	return p[:n:n], value, p[end:], nil
}

// decodeEntries is the opposite of add. The values lie in p. Errors: errLog.
func decodeEntries(p []byte) (set []entry, err error) {
	for len(p) > 0 {
		var key, value []byte
		if key, value, p, err = nextEntry(p); err != nil {
			return nil, err
		}
		set = append(set, entry{key: string(key), value: value})
	}
	return set, nil
}

// checkEntries reports whether decodeEntries would take p, and makes nothing.
func checkEntries(p []byte) (err error) {
	for len(p) > 0 && err == nil {
		_, _, p, err = nextEntry(p)
	}
	return err
}

// logReader reads a file of records.
type logReader struct {
	r     *bufio.Reader
	limit int64 // bytes of the file
	end   logEnd
}

// newLogReader reads the head. Errors: errLog; the disk's.
func newLogReader(r io.Reader, limit int64) (*logReader, error) {
	l := &logReader{r: bufio.NewReaderSize(r, 64<<10), limit: limit}
	p, err := l.read(logHead)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	want, end := encodeHead(le.Uint32(p[12:]))
	if !bytes.Equal(p, want) {
		return nil, errLog
	}
	l.end = end
	return l, nil
}

// next is the next record's entries, not decoded. Errors: io.EOF at the end of
// the file; errLog; the disk's.
func (l *logReader) next() (body []byte, last bool, err error) {
	le := binary.LittleEndian
	left := l.limit - l.end.size
	if left == 0 {
		return nil, false, io.EOF
	}
	if left < recordHead+recordSum {
		return nil, false, errLog
	}
	head, err := l.read(recordHead)
	if err != nil {
		return nil, false, err
	}
	n, flag := int64(le.Uint32(head)), le.Uint32(head[4:])
	if n > int64(maxRecord) || n > left-recordHead-recordSum || flag > 1 || le.Uint64(head[8:]) != l.end.number {
		return nil, false, errLog
	}
	p, err := l.read(int(n) + recordSum)
	if err != nil {
		return nil, false, err
	}
	sum := crc32.Update(crc32.Update(l.end.sum, castagnoli, head), castagnoli, p[:n])
	if le.Uint32(p[n:]) != sum {
		return nil, false, errLog
	}
	l.end = logEnd{size: l.end.size + recordHead + n + recordSum, number: l.end.number + 1, sum: sum}
	return p[:n:n], flag == 1, nil
}

func (l *logReader) read(n int) ([]byte, error) {
	p := make([]byte, n)
	_, err := io.ReadFull(l.r, p)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = errLog
	}
	return p, err
}

// scanned is what of a file is whole.
type scanned struct {
	snapshot logEnd // behind the first batch; zero when it is not whole
	good     logEnd // behind the last batch that is whole
}

// scanLog looks how much of a file of size bytes is whole: from its start to
// the end of the last whole batch. Errors: errLog, or the disk's, when that is
// not all.
func scanLog(r io.Reader, size int64) (s scanned, err error) {
	l, err := newLogReader(r, size)
	if err != nil {
		return s, err
	}
	whole := false // a file without a snapshot is not
	for {
		p, last, err := l.next()
		if err == io.EOF && whole {
			return s, nil
		}
		if err == io.EOF {
			return s, errLog
		}
		if err == nil {
			err = checkEntries(p)
		}
		if err != nil {
			return s, err
		}
		if whole = last; !last {
			continue
		}
		if s.good = l.end; s.snapshot.size == 0 {
			s.snapshot = l.end
		}
	}
}

// applyLog gives the entries of the first size bytes of a file, which end
// with a record, to f. Errors: errLog; the disk's; those of f.
func applyLog(r io.Reader, size int64, f func([]entry) error) error {
	l, err := newLogReader(r, size)
	if err != nil {
		return err
	}
	for {
		p, _, err := l.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		set, err := decodeEntries(p)
		if err == nil {
			err = f(set)
		}
		if err != nil {
			return err
		}
	}
}
