// Package inflate decodes DEFLATE streams (RFC 1951) from any point of them.
//
// The decoders of libraries start at the first byte of a stream. One that serves
// a Z-Map2 starts at a bit: that of a block's header, or one between two symbols
// of a block whose header is elsewhere. It is given the output before that point
// (at most WindowSize bytes of it are ever referred to), and tells of what refers
// to output that it was not given (ErrHistory): so one learns whether a point
// needs no history.
//
// Trace decodes a whole stream and reports the points that a Z-Map2 lists.
//
// # Bounds
//
// The input is untrusted. A Decoder takes about 100 KiB of memory whatever it is
// given, and hands its output out as it is read: a caller that reads no more than
// it expects meets no decompression bomb. A stream that yields nothing for ever
// (of empty blocks) yields an error after MaxEmptyBlocks of them.
//
// # Concurrency and imports
//
// A Decoder belongs to one goroutine; there are no others. The package imports
// nothing of the project.
package inflate
