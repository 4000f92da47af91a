package format

// Bounds of what a reader accepts and a writer writes. They hold before any
// arithmetic and before any memory is taken.
const (
	// MinBlockSize and MaxBlockSize bound "Blocksize", in bytes; it is a power of two.
	MinBlockSize = 1 << 9
	MaxBlockSize = 1 << 24
	// MaxLength bounds "Length", in bytes: 16 TiB. The least is 0, an empty target.
	MaxLength = 1 << 44
	// MaxHeaderSize bounds the header, in bytes, beside the bytes of its Z-Map2.
	MaxHeaderSize = 64 << 10
	// MaxHeaders bounds the number of header lines.
	MaxHeaders = 1024
	// MaxNameLength bounds the name of a header, in bytes.
	MaxNameLength = 128
	// MaxURLs bounds the number of "URL" and "Z-URL" lines together.
	MaxURLs = 64
	// MinSeqMatches and MaxSeqMatches bound the first number of "Hash-Lengths".
	MinSeqMatches = 1
	MaxSeqMatches = 2
	// MinRsumLength and MaxRsumLength bound the second number, in bytes.
	MinRsumLength = 1
	MaxRsumLength = 4
	// MinStrongLength bounds the third number, in bytes; the most is the length
	// of the digest.
	MinStrongLength = 3
	// MaxZMapEntries bounds the entries of "Z-Map2" whatever the target's length
	// (64 MiB of them). See also maxZMapEntries.
	MaxZMapEntries = 1 << 24
)

// maxZMapEntries is the bound for the map of a target of length bytes. A map
// that takes up more than half as many bytes as its target cannot pay, so a
// count far above what the length explains is a fault and not a big map.
func maxZMapEntries(length int64) int64 {
	return min(MaxZMapEntries, 1024+length/8)
}
