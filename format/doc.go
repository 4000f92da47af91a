// Package format is the zsync format as bytes and arithmetic: the control
// file, its checksum records, the geometry of blocks, and the Z-Map2.
//
// # Terms
//
// The words are those of zsync's own papers. The target file (or target) is
// what a control file describes; a control file is the ".zsync" file; a block
// is Blocksize bytes of the target, counted by BlockID from 0; the rsum is the
// rolling checksum of a block and the strong checksum its digest, both cut to
// the lengths in the header "Hash-Lengths"; a record is one rsum and one strong
// checksum, as the control file stores them.
//
// # Reading and writing
//
// ReadHeader reads what comes before the records, and a Header then checks
// blocks and whole targets against what the control file says: VerifyBlocks,
// NewFileVerifier. Records gives a matcher the single records. Geometry has
// all arithmetic on offsets and blocks. Builder makes the control file of a
// target in one pass; Header.Encode writes a header alone.
//
// # Bounds
//
// A control file is untrusted. Every number in it is checked for sign, bound
// and overflow before arithmetic and before memory is allocated; the bounds
// are the Max constants. What is wrong is told by *ParseError, which names the
// header. SPEC.md beside this file has the byte tables, the quirks of real
// files, and what is done in each doubtful case.
//
// A header's texts are checked for control characters and no more: whether a
// Filename may be a file's name, and whether a URL may be asked, is decided by
// those who use them.
//
// # Concurrency
//
// There are no locks. A Header that nobody changes is safe for concurrent use;
// Builder and FileVerifier belong to one goroutine. The package starts no
// goroutines itself; package checksum uses several cores within a call.
//
// # Imports
//
// This package imports nothing of the project but its own subfolders, and uses
// no files, network, clocks, goroutines or logging.
//
// # Design
//
// Headers are a table of fields for reading and one for writing, so a new one is
// a line in each. The entries of Z-Map2 are kept as raw bytes, as most who read a
// header need no map; NewZMap makes points of them. MapGzip makes the map of a gzip
// file, with package inflate, which decodes DEFLATE from any point.
package format
