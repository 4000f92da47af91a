// Package seed finds blocks of a target in seed files.
//
// # Terms
//
// A seed is a file that may hold parts of the target, at any offset. An Index finds
// blocks of one target by their checksums; Missing says which are still wanted. A
// run is consecutive blocks of the target that lie one behind the other in the seed.
// A class is all blocks of equal record (rsum and strong checksum): once the content
// of one is known, all are delivered. The weak key of an offset is the rsum of the
// block that begins there, in pairs that of the one behind it as well.
//
// # What is found
//
// With seq matches 1, every block whose rsum and strong checksum are those of the
// seed at any offset. With 2, every two neighbours of which both are, side by side
// at any offset. The seed counts as followed by zeros, two blocks of them, so that
// the target's last block is found at a seed's end. Blocks whose record is that of
// zeros need no seed at all: a scan delivers them first.
//
// That is all that zsync 0.6.2 finds, whatever it jumps over, and more: it looks at
// fewer offsets, since after a match it jumps over it, and only for pairs whose
// first block it has not yet. TestScanFindsAll holds both kinds of scan against
// this rule, tried at each offset alone.
//
// Where both checksums are long, one block is enough even if the header asks for
// two: when 8 x strong length + rsum bits (at most 28) >= log2(seed bytes) +
// log2(blocks) + 20, so that not one seed in 2^20 has a false match; a stream
// counts as 2^40 bytes. See Index.singleSuffices.
//
// Only a budget (below) takes something away, from seeds that were made for it.
//
// # Runs
//
// With Options.LeastRun, a match is as many blocks in a row, or two where seq matches
// asks for that, and single blocks never suffice. Every block is found that lies
// somewhere in the seed in a row of so many blocks of the target, known ones and those
// of zeros included, each with the rsum and strong checksum of what is there; no other
// is delivered, but blocks of zeros, which need no seed. So a target of fewer blocks is
// not found at all. A class is not delivered as a whole: of its blocks those are found
// whose neighbours fit as well. TestRunsOnly holds scans against this rule.
//
// Look-ups are as before, but reach as far as a row: every row that has a missing block
// has its first block's key in the filter. What goes on by its rsums is hashed, all of
// the row at once, before anything is delivered; runs that go on after that are
// delivered block by block. While a run is followed, rows of equal records elsewhere in
// the target are told by the records alone (foundCopies), unless a class has more than
// 16 blocks. Those, and rows that begin shortly before the end of another, are left to
// the second pass.
//
// # How
//
// A pass goes over slices of 4 MiB, which workers take in order, or in that of their
// distance from Options.First; each reads its own, 512 KiB at a time or more, and what
// look-ups at the end reach beyond that. For 32768 offsets at a time, or two blocks, the
// rsums are computed, and looked up in the filter: of single blocks by one kernel for
// both, where there is AVX-512. Its near level (at most 512 KiB; 1 MiB from 350000 keys on)
// stays in the second cache and has three bits for each key in one word, which is one
// load for an offset. Its far level (at most 8 MiB) is asked for what is left. Then the
// table says exactly which blocks have the key: ids sorted by hash, a fingerprint of a
// byte for each, and among equal keys by the strong checksum, so that a million blocks
// of one key are searched in twenty steps.
//
// Of pairs only every other window of a block's length is looked up at the near level,
// which then has the rsums of single blocks: one of a pair's two blocks begins in such
// a window, wherever the pair lies, and a hit is tried as the first block and as the
// second (filter.halvedHits). Where there is more than one key for 16 values of an rsum,
// or blocks are larger than 64 KiB, the near level has pairs, and is asked for every
// offset.
//
// An offset where the block after the match goes on like the target, by its rsum,
// is checked at once, and the run is followed with up to 64 blocks per check. The
// others match by chance, mostly; they wait until 32 of them can be hashed in the
// lanes of the processor.
//
// Stretches of zeros are jumped over, and larger holes of files are not read: blocks
// of zeros need no seed.
//
// Runs jump over what they match. If anything is still missing at the end, what was
// jumped over is scanned at every offset, with a filter of the missing blocks only:
// the same file can begin elsewhere in another of the target's blocks. So the result
// does not depend on which match came first, and a seed that has everything costs one
// pass that only hashes. Where more than 128 MiB were jumped over and less than a
// sixteenth of that is missing, the second pass is left out: it would take most of
// the time for a share of little. A stream cannot be read twice; its windows are scanned again
// while they are there.
//
// The filter has what is missing when a pass begins. Content that was found in
// another seed is scanned at full pace without any strong checksum.
//
// # Bounds
//
// A budget (budget.go) earns two units and more for each offset and pays for
// look-ups and strong checks, so that what matches in vain slows a scan down by
// about eight at most, whatever seed and records are: one weak key for all blocks,
// constant or periodic data, seeds in which every offset has the rsum of some block.
// Where rsums are so short for the target that random bytes match often, which no
// maker writes, up to three times as much is earned; beyond that matches are missed.
// A class is delivered once, in one go. With LeastRun the blocks of a large class are
// tried one by one at an offset, but what proved to be no run is not tried again where
// data repeat.
//
// Memory: an index takes at most 25 bytes for each block (TestIndexMemory: 8 with
// seq matches 1, 16 with 2) beside the records, and for a short time 16 more while
// it is made. A scan takes up to 9 MiB for filters, and for its buffers 32 MiB or
// as many workers as fit into that, but at least one: with blocks of 16 MiB and pairs
// 48 MiB, and as many blocks more as LeastRun asks for beyond them. Scan keeps 16 bytes for each jump, of at most 16 GiB of seed.
//
// What is delivered always has the strong checksums of its records; whether it is
// the target is for the digest of the whole to say, since records may be short.
//
// # Figures
//
// Per second of CPU, on two cores (Zen 4) that had other work to do; seeds of 256 MiB
// where nothing matches:
//
//	                                             AVX-512       AVX2          plain Go
//	nothing matches, target of 512 MiB
//	  single blocks of 2048 bytes                1020-1080 MB  870-930 MB    330-390 MB
//	  single blocks of 4096 bytes                1120-1170 MB  850-1010 MB   360-410 MB
//	  pairs of 2048 bytes                        1.2 GB        1.0-1.1 GB    450-490 MB
//	  pairs of 4096 bytes                        1.3-1.4 GB    1.3-1.4 GB    510-550 MB
//	nothing matches, target of 64 MiB            1.2-1.8 GB
//	nothing matches, target of 5 GiB             130-370 MB
//	all matches in order                         5.5-6.0 GB
//	made to match in vain                        120-260 MB
//
//	go test -run xxx -bench 'NoMatch|AllMatch|Adversary' ./zsyncclient/seed
//
// with GODEBUG=cpu.avx512f=off for AVX2, and cpu.avx512f=off,cpu.avx2=off for plain Go.
// An index of 5 GiB in blocks of 4096 bytes takes 0.12-0.2 s (-bench Index).
//
// Of the 0.85 to 0.95 ns for an offset of single blocks, the kernel that rolls rsums
// and looks them up in the near level takes 0.68, with AVX-512 (one after the other they
// take 0.79). It is bound by how many lines the second cache gives to the first: loads
// alone from 512 KiB take 0.55, from 256 KiB 0.51, and asking for lines ahead changes
// nothing. Nor do huge pages, a gathering load, or levels of half the size. A level
// before it, for the first cache, would let a third through, reckoned for two bits a
// key, and those would push it out. With four stretches side by side, so that nothing
// crosses the parts of a register, a prototype of the kernel took 0.64 to 0.66 ns. What
// else there is, in files: a copy out of the page cache (0.1 ns) and blocks that have an
// rsum of the target by chance (0.1 ns; each is looked up and hashed).
//
// # Concurrency
//
// Index never changes, Missing is atomic: any number of scans may go on side by side
// with both. Each scan starts up to Workers goroutines and waits for them before it
// returns. The one lock guards a scan's first error and its counts; nothing is done
// while it is held. Deliver is called without locks.
//
// # Imports
//
// format, format/checksum, package sparse beside it, klauspost/compress/gzip, x/sys/cpu and the standard
// library.
//
// # What comes later
//
// A mount scans versions that a store has through the same API: a segment is an
// io.ReaderAt, and what Deliver is told of places is for referring to it. Matching within gzip by Z-Map2 needs blocks of the decompressed
// target only, which is what ScanFile looks for already.
package seed
