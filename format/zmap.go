package format

import (
	"errors"
	"fmt"
	"io"
)

// zmapEntrySize is the number of bytes of one entry of a Z-Map2.
const zmapEntrySize = 4

// faultError marks an error as a fault of the file, where reading further bytes
// can also fail because of the source.
type faultError struct{ error }

func (e *faultError) Unwrap() error { return e.error }

func fault(format string, args ...any) error {
	return &faultError{fmt.Errorf(format, args...)}
}

// parseZMap reads the count of entries in value and then their raw bytes, which
// follow the line at once.
func parseZMap(hr *headerReader, value string) error {
	_, length := hr.seen["Length"]
	_, blockSize := hr.seen["Blocksize"]
	if !length || !blockSize {
		return fault("Length and Blocksize must stand before it")
	}
	count, err := parseNumber(value, MaxZMapEntries)
	if err != nil {
		return &faultError{err}
	}
	if most := maxZMapEntries(hr.h.Length); count > most {
		return fault("%d entries are too many for a target of %d bytes (at most %d)", count, hr.h.Length, most)
	}
	if count == 0 {
		hr.warn("Z-Map2 has no entries")
		return nil
	}
	raw, err := hr.raw(count * zmapEntrySize)
	if err != nil {
		return err
	}
	hr.h.ZMap = raw
	return nil
}

// raw reads n bytes, taking memory as they arrive.
func (hr *headerReader) raw(n int64) ([]byte, error) {
	const step = 64 << 10
	var data []byte
	for int64(len(data)) < n {
		old := len(data)
		want := int(min(step, n-int64(old)))
		data = append(data, make([]byte, want)...)
		got, err := io.ReadFull(hr.r, data[old:])
		hr.size += int64(got)
		hr.mapSize += int64(got)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, &ShortError{Have: hr.size, Need: hr.size + n - int64(old+got) + 1}
		}
		if err != nil {
			return nil, err
		}
	}
	return data, nil
}
