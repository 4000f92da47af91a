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
// # Bounds
//
// A control file is untrusted. Every number in it is checked for sign, bound
// and overflow before arithmetic and before memory is allocated; the bounds
// are the Max constants. What is wrong is told by *ParseError, which names the
// header. SPEC.md beside this file has the byte tables and the quirks of real
// files.
//
// # Imports
//
// This package imports nothing of the project but its own subfolders, and uses
// no files, network, clocks, goroutines or logging.
package format
