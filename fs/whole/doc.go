// Package whole brings one version in the block store to completeness: from what
// the store has of it and of its relatives, from local files, and by range
// requests for the rest.
//
// A Fill is one such job. It is the core, and knows nothing of where the target
// may be wanted: Export, apart from it, makes a file of what is complete.
//
// # Terms
//
// A seed is a file that the user named, or a relative. A relative is another
// version in the store, of a control file from the same origin (scheme, host and
// port) whose name is alike. A block is doubtful when its strong checksum is cut
// short, so that bytes can match it by chance.
//
// # The steps
//
//  1. version.go: the version is opened, or made, and its control file put.
//     Readers of a mount that have it open see the same blockstore.Version: each
//     block is theirs as soon as it is here. The control file's Place makes it the same.
//  2. local.go: relatives, the likeliest first (relatives.go), then seeds, are
//     scanned by package seed. Of relatives only the blocks that are here are
//     read (known.go). Blocks of zeros need neither.
//  3. fetch.go: what is missing then, through zsyncclient.Source. Blocks that
//     arrived by a mount meanwhile are left out.
//  4. verify.go: the digests of the whole, read from the store, so that what is
//     verified is what an export or a reader gets.
//
// # False matches
//
// When the digests disagree and blocks are doubtful, those that did not come over
// the network in this run are forgotten, fetched, and verified again. When the
// whole is wrong still, none of it stays known. Blocks with full checksums stay,
// for they are what the control file asks for, and the state is Suspect: the
// control file contradicts itself. A run that finds a Suspect version starts it
// anew. Until the whole was verified, a doubtful block from a seed can be read
// through a mount of the same URL, as any block of a version that is not verified.
//
// # Trust
//
// Blocks of a relative are taken by the checksums of this version's control file,
// and only within one origin: with cut checksums, one server's control file must
// not choose blocks of another's. Files that the user names are the user's own.
//
// # Imports and concurrency
//
// It imports blockstore, zsyncclient (with download, for what a step, a result
// and their errors are, seed, and sparse) and format. It imports no FUSE, nothing of
// package target, and no command. A Fill belongs to one goroutine, except for
// Progress; it has no locks: blocks are claimed from sets of package seed, and
// counters are atomic. All goroutines end before Run or Plan returns.
//
// # Plan
//
// A mount's background fill is a Fill with Background priority and no seeds.
// Sharing of blocks between versions takes the place of copying in
// scanRelatives: with the same block size, runs are joined by their records
// there, and put as references.
package whole
