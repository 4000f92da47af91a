// Package sparse tells where a file has data and where it has holes, which read as
// zeros. Reading the holes of an image of a disk takes most of the time of a scan
// otherwise: the kernel fills a page with zeros for each of their pages.
//
// An extent is a run of bytes that may be other than zero. Package and
// functions hold no state. It imports x/sys and the standard library.
package sparse
