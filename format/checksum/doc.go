// Package checksum has the checksums of the zsync format: the rolling rsum and
// the strong checksums MD4, MD5 and SHA-224 of blocks, and the digests SHA-1 and
// SHA-256 of whole targets.
//
// Blocks are given many at a time, because fast kernels work on several blocks
// side by side. Their place is sumBlocks for the strong checksums and rsumScalar
// for the rsum: a kernel takes as many whole blocks as it can, and the scalar
// code, which is also what tests hold a kernel against, the rest.
//
// SHA-1 and SHA-256 cannot be split, so TargetSums computes them beside each
// other and beside the records of slices of the same bytes: on two cores with
// instructions for SHA, the MD4 of the blocks is most of the work, and a faster
// one speeds up the whole.
//
// Memory: none for each block; states and buffers are reused through pools.
// Goroutines: TargetSums and Digests start some within a Write of enough bytes
// and wait for them before it returns. There are no locks.
//
// It imports nothing of the project.
package checksum
