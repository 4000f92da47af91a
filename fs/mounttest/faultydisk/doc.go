// Package faultydisk is a disk for tests that fails when it is told to: a FUSE file
// system that hands all on to a folder, but answers some calls with an error.
//
// It is a test-only package.
//
// Unlike a block device that fails it can be mended, and needs no device mapper. Calls
// never come from a page cache: each read and each write of a file on it is one of the
// file system. A process of its own serves it, the test's program again, so a test
// that uses it calls RunChild first thing in TestMain.
package faultydisk
