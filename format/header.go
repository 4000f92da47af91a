package format

import (
	"time"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// Header is everything in a control file before its block records.
type Header struct {
	// Writer is the value of "zsync": the version, or any text, of the program
	// that made the file.
	Writer string
	// Filename is the name that the publisher gave the target, as written: it
	// may hold slashes or any byte and must not be used as a path unchecked.
	// Empty when absent.
	Filename string
	// MTime is the target's time of change; the zero time when it is absent or
	// cannot be read (then Warnings says so).
	MTime time.Time
	// BlockSize and Length: see Geometry. Source: "Blocksize", "Length".
	BlockSize, Length int64
	// SeqMatches (1..2), RsumLength (1..4 bytes) and StrongLength (3..digest
	// length, bytes). Source: "Hash-Lengths"; 1,4,16 when that is absent.
	SeqMatches, RsumLength, StrongLength int
	// Strong is the strong checksum of blocks. Source: "Strong-Hash-Algorithm";
	// MD4 when absent.
	Strong checksum.Strong
	// FileHashes are the digests of the whole target, at most one for each
	// algorithm. Empty when the file has none that is known: the target can
	// never be verified as a whole. Source: "SHA-1", "File-Hash".
	FileHashes []FileHash
	// URLs and ZURLs are where the target and its gzip copies are, as written
	// and in order, at most MaxURLs together. Source: "URL", "Z-URL".
	URLs, ZURLs []string
	// Safe are the names of headers that a reader may ignore.
	Safe []string
	// ZFilename, Recompress, MinVersion: the headers of these names, as written.
	ZFilename, Recompress, MinVersion string
	// ZMap are the raw entries of "Z-Map2", 4 bytes each; nil when absent.
	ZMap []byte
	// Unknown are the headers that this package does not know, in order.
	Unknown []Field
	// Warnings are faults that did not make the file unusable, one sentence
	// each, free of control characters.
	Warnings []string
	// Size is the number of bytes from the start of the control file to its
	// first record.
	Size int64
}

// Field is one header line.
type Field struct{ Name, Value string }

// FileHash is a digest of the whole target.
type FileHash struct {
	// Algorithm is "SHA-1" or "SHA-256" (the two that can be checked).
	Algorithm string
	Digest    []byte
}

// Geometry is how the target is cut into blocks.
func (h *Header) Geometry() Geometry { return Geometry{Length: h.Length, BlockSize: h.BlockSize} }

// RecordSize is the number of bytes of one record.
func (h *Header) RecordSize() int64 { return int64(h.RsumLength + h.StrongLength) }

// ControlLength is the number of bytes of the control file up to the end of
// its last record. Real files may have bytes after that.
func (h *Header) ControlLength() int64 {
	return h.Size + h.Geometry().BlockCount()*h.RecordSize()
}

// RecordRange is where the records of blocks r lie in the control file, in bytes.
func (h *Header) RecordRange(r BlockRange) Range {
	return Range{Start: h.Size + int64(r.Start)*h.RecordSize(), End: h.Size + int64(r.End)*h.RecordSize()}
}
