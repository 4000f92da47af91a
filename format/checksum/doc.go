// Package checksum has the checksums of the zsync format: the rolling rsum and
// the strong checksums MD4, MD5 and SHA-224 of blocks, and the digests SHA-1 and
// SHA-256 of whole targets.
//
// # Kernels
//
// Blocks are given many at a time, because kernels in assembly work on several
// side by side. Which of them are used is the variant, chosen at the start by
// what the CPU and the operating system support: scalar (Go, everywhere), AVX2
// and AVX512 (F, BW and VL) on amd64. GODEBUG=cpu.avx512f=off or cpu.avx2=off
// in the environment keeps a program from them. The kernels take whole multiples
// of their step, and Go does the rest: each of these has its plain counterpart,
// which is also what the tests hold every variant against.
//
//   - MD4 and MD5 (sumLanes): 16 or 32 blocks, one in each 32-bit lane of two
//     sets of registers. A step of these algorithms waits for the one before, so
//     the two sets take turns. The 64 bytes of each block are read once and
//     transposed in registers; gather instructions are slower. The last 64 bytes,
//     mark and length, are the same for all blocks, and given like any others.
//     Where blocks are fewer than lanes, the other lanes sum one of them again,
//     which is faster than Go from two blocks on, and of MD4 from three; AVX512
//     leaves 16 or fewer to AVX2. SHA-224 has instructions of its own in the
//     CPU, which the Go library uses.
//   - MD4 in Go (md4Go): two blocks take turns as the sets do above. It is scalar
//     and what sums one or two blocks everywhere: even one, with the other lane
//     idle, is faster than with x/crypto/md4. That sums blocks that are no
//     multiples of 64 bytes, and the tests hold md4Go against it.
//   - The rsum of a block (rsumOf): bytes are added up by eights
//     (VPSADBW), and weighed in pairs (VPMADDUBSW). All arithmetic may wrap at 16
//     bits.
//   - The rsum at every offset (RsumOffsets): eight offsets in each 128-bit part
//     of a register, whose A and B are prefix sums. Two halves of the offsets are
//     done side by side, so that nothing crosses the parts. There is none for
//     AVX512: it was slower than this one.
//
// None reads or writes beyond its slices, or runs for more than some 100
// microseconds, because a goroutine cannot be stopped within it.
//
// "go generate" writes kernels_amd64.s and kernels_amd64.go, by the program in
// internal/gen; a test there fails when they are not what it writes. The library
// that it uses, avo, is no part of what is built from this package.
//
// What one core of an AMD EPYC (Zen 4, 3.7 GHz) does, in MB/s, with blocks of
// 2048 / 4096 bytes for strong checksums (go test -bench . ./format/checksum):
//
//	             scalar      AVX2            AVX512
//	MD4          1740 / 1800 10800 / 9600    14400 / 12900
//	MD5          770 / 780   7300 / 6700     9800 / 9000
//	SHA-224      1650 / 1690
//	RsumBlocks   2800        46000           65000 (blocks of 4096)
//	RsumOffsets  1170        4800            as AVX2
//
// Blocks that are 4096 bytes apart are slower, as they compete for one set of
// the first cache. From memory MD4 with AVX512 has 9000 to 12700. A matcher that
// asks for few offsets at a time gets less: 3900 with 1024, and no more than the
// scalar code below 64.
//
// # Whole targets
//
// SHA-1 and SHA-256 cannot be split, so TargetSums computes them beside each
// other and beside the records of slices of the same bytes. With the kernels,
// the digests are nearly all of the work.
//
// Memory: none for each block; states and buffers are reused through pools or on
// the stack. Goroutines: TargetSums and Digests start some within a Write of
// enough bytes and wait for them before it returns. There are no locks.
//
// It imports nothing of the project. A kernel for another architecture is a file
// like variant_amd64.go, and a variant; variant_other.go then excludes it.
package checksum
