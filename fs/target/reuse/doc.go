// Package reuse finds blocks of a version among what is here already: in its
// relatives, which are other versions in the block store, and in files that the
// user named as seeds.
//
// # Terms
//
// A relative is another version of the store that may have content of this one: of
// an older state of the same artifact, of one whose control file's name is alike,
// or of one that has some of the same blocks by its sketch. An artifact's sketch is
// the few of its blocks whose checksums have the smallest hashes: two artifacts
// that share content share some of these, whatever they are called.
//
// # The steps
//
// Find takes them in the order of what they cost; each works on what is missing
// still:
//
//  1. Blocks of zeros are known by their record.
//  2. join.go: the control tables of this version and of a relative with the same
//     block size are held against each other, first at equal places, then by the
//     checksums: no content is read. What is found is only as sure as the checksums
//     that both tables have; the store holds the bytes against this version's record
//     when they are first read.
//  3. scan.go: package seed looks at every offset of what is here of a relative.
//     It finds what was moved by other than whole blocks, and what relatives have
//     that are cut into blocks of another size. What one relative has in common with
//     those before at the same place, by their records, is left out (looked.go): so
//     eight versions of a file cost what one does, and what is new in the others.
//  4. Seeds are scanned likewise.
//
// Blocks of relatives are shared (blockstore.Version.Share): they take no room.
// Those whose bytes the relative has in two places, and those of seeds, are copied.
//
// # Trust
//
// Strong checksums are cut short by many makers, and MD4 collisions are free to
// whoever makes both blocks. So what a control file says of a block is believed of
// other content only within one origin (scheme, host, port and the credentials that
// were used): a server can only harm its own files, and the digest of the whole
// finds that. The exception is SHA-224 of at least leastBits bits, which nobody can
// forge; then content of other origins is taken, if the digest of its whole agreed.
// By chance, blocks of cut checksums match as well: a run of them counts when
//
//	8 x strong length x blocks of the run >= log2(blocks of this) + log2(blocks of the store) + 40
//
// that is, when not one such search in 2^40 finds a wrong one. Share limits all that
// further. Files that the user named are trusted as the user's own; single blocks
// of them count.
//
// # Imports and concurrency
//
// It imports blockstore, zsyncclient (for control files), seed and format. A Finder
// belongs to one goroutine; it has no locks. What it finds is in the store, and so
// there for readers, as soon as it is found.
package reuse
