package checksum

// Strong is an algorithm for the strong checksum of a block. The zero value is MD4.
type Strong int

// The algorithms that a control file may name.
const (
	MD4 Strong = iota
	MD5
	SHA224
)
