// Package download makes one target file from a control file: from local seeds
// first, and by range requests for what they lack.
//
// # The files
//
// PATH is where the target goes. PATH.part is the file under construction: it
// has the target's length from the start, and every block at its own offset, so
// it needs no notes beside it. A run that ended early, however it did, is taken
// up by checking each block of PATH.part where it stands. A PATH.part of another
// version is set aside as PATH.part.old and scanned as a seed, so that nothing
// in it is lost, until the download is complete. Blocks of zeros are not written
// to a new file: it is as sparse as the target lets it be.
//
// PATH itself is touched at the very end, when every block matched its strong
// checksum and the whole file its digests: the old file becomes PATH.zs-old, as
// zsync has always done, and PATH.part takes its name in one step. When PATH is
// the target already, nothing is written. The file is not synced to the disk first:
// after a power cut PATH may lack what was not written yet, as it always could with
// zsync; then the next run takes it for a seed, and PATH.zs-old is there.
//
// # The steps
//
//  1. part.go: PATH.part, block by block in place.
//  2. local.go: the seeds in order, PATH, and what was set aside, through package
//     seed; each block is taken from the first that has it.
//  3. fetch.go: the missing runs, through zsyncclient.Source.
//  4. verify.go: the digests of the whole. They are computed by a goroutine that
//     follows the prefix that is complete, so that little is left at the end.
//  5. pack.go: where the control file says how ("Recompress"), the gzip file that the
//     target was published as is made of it by gzip(1), and its map compared with the
//     control file's. When it is another, the target itself is delivered.
//  6. finish.go: time of change, permissions, names.
//
// A run ends in one of three ways. The file is there. Or PATH.part stays, with
// everything that was found and fetched; Result.Part says so. Or nothing new is
// left, when there was nothing to keep. PATH.part is locked while a run works on
// it, until it has its final name, so a second run cannot write to a file that the
// first one has finished.
//
// # Servers that stay away
//
// A Source asks again for as long as it may. A person who waits wants to know: when
// no block has come for Options.Patience and the servers fail, fetching ends.
//
// # False matches
//
// The strong checksums of real control files are cut short, so a block of a seed
// can match and be wrong; the digest of the whole then tells. When the checksums
// are so short that this can happen by chance, what came from seeds is fetched
// after all, once, and the whole is verified again.
//
// # Imports and concurrency
//
// It imports format, zsyncclient and seed, and knows neither the store nor FUSE.
// A Download belongs to the goroutine that calls Run, except for Progress, which
// anybody may call. There are no locks: blocks are claimed from sets of package
// seed, which are safe for concurrent use, and counters are atomic. Goroutines
// (workers of a scan, requests, the follower, the one that is patient) end before
// Run returns.
package download
