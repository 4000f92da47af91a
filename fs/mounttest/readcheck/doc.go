// Package readcheck compares a file in a mount with the original, in every way
// that programs read files: from front to back, at random places, across the
// end, through mmap, with O_DIRECT, several readers at once.
//
// It is a test-only package. The reading through mmap is done by a child
// process: a page fault on a FUSE file holds a processor of the Go scheduler
// until the daemon answers, which a program that has a server of its own must
// not risk. Programs that use Mmap or an Oracle call RunChild first of all.
//
// Checks want everything to be right. An Oracle is for what goes on while something
// breaks: reads may fail, but what they return must be the original's.
package readcheck
