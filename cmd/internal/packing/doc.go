// Package packing makes gzip files that clients of a Z-Map2 like: "zsyncmake -z".
//
// Each block of the target, in zsync's sense, is a DEFLATE block of its own (from
// 4096 bytes on several), and its place is in the map, so that a client fetches
// just those that it needs. Blocks follow each other bit by bit. They refer back to
// what is before them, as in any gzip file, but not across a restart, where the
// history is dropped: each 128 to 512 KiB of input, unless Options.Restart says
// otherwise, the sooner the less the data shrink (96 KiB of output are enough). The output before it ends
// with an empty stored block, which fills up a byte (as the flush of a compressor
// leaves), and the next block starts there. A restart is thus two points of the map
// with the same output, the second at a whole byte; format.ZMap.Restart knows it.
//
// What is between two restarts does not depend on the rest: a reader that wants some
// bytes from the middle fetches and decodes no more than that. Here stretches of 512
// KiB, which begin with a restart whatever comes before them, are compressed on all
// cores.
//
// # How
//
// The compressor of github.com/klauspost/compress is flushed after each block, which
// costs about 40 bits: an empty stored block. Those are cut out and the blocks that
// remain are joined, which is why a stretch is decoded once: to find where its
// blocks end. What comes out is compared with what went in at the same time.
//
// # Concurrency
//
// A Writer has one goroutine for each stretch under way, at most one more than there
// are cores. Close waits for them. Memory: some MiB for each with the default restarts,
// whatever the length of the file, and the map.
//
// It may import format and what is below it.
package packing
