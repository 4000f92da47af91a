// Package whole brings one version in the block store to completeness: from what
// the store has of it and of its relatives, from local files, and by range
// requests for the rest.
//
// A Fill is one such job. It is the core, and knows nothing of where the target
// may be wanted: Export, apart from it, makes a file of what is complete.
//
// # The steps
//
//  1. version.go: the version is opened, or made, and its control file put.
//     Readers of a mount that have it open see the same blockstore.Version: each
//     block is theirs as soon as it is here. The control file's Place makes it the same.
//  2. local.go: package reuse looks for blocks in other versions of the store and in
//     seeds, which are files that the user named.
//  3. fetch.go: what is missing then, through zsyncclient.Source. Blocks that
//     arrived by a mount meanwhile are left out.
//  4. verify.go: the digests of the whole, read from the store, so that what is
//     verified is what an export or a reader gets.
//
// For an export the blocks that lie in other versions' files are brought into the
// version's own (OpenData); those that somebody reads just now are copied.
//
// # False matches
//
// A block is doubtful when its strong checksum is cut short, so that bytes can match
// it by chance. When the digests disagree and blocks are doubtful, those that did not come over
// the network in this run are forgotten, fetched, and verified again. When the
// whole is wrong still, none of it stays known. Blocks with full checksums stay,
// for they are what the control file asks for, and the state is Suspect: the
// control file contradicts itself. A run that finds a Suspect version starts it
// anew. Until the whole was verified, a doubtful block from a seed can be read
// through a mount of the same URL, as any block of a version that is not verified.
//
// # Imports and concurrency
//
// It imports blockstore, fs/target/reuse, zsyncclient (with download, for what a
// step, a result and their errors are, seed, and sparse) and format. It imports no
// FUSE, nothing of package target itself, and no command. A Fill belongs to one
// goroutine, except for Progress; it has no locks: blocks are claimed from sets of
// package seed, and counters are atomic. All goroutines end before Run or Plan
// returns.
package whole
