// Package forged makes blocks that are not what their records say: other content with
// the same rsum and the same beginning of the strong checksum, as far as a control file
// with checksums that were cut short has them. Whoever can write such a block can put it
// in place of the right one, until the whole file is verified.
//
// It is a test-only package, but it does not import testing.
package forged
