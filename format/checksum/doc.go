// Package checksum has the checksums of the zsync format: the rolling rsum and
// the strong checksums MD4, MD5 and SHA-224 of blocks.
//
// Blocks are given many at a time, because the fast kernels work on several
// blocks side by side. It imports nothing of the project.
package checksum
