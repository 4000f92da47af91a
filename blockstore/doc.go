// Package blockstore keeps verified blocks of targets on the local disk: a
// cache that survives kills and power cuts, in which losing blocks is allowed
// and a wrong byte is not. It knows neither URLs nor FUSE.
//
// # Terms
//
// A store is one folder, owned by one process. A version is the local part of
// one target: its control file, as far as it is here, and those of its blocks
// that are here. A version has a Key as soon as its header is known and an ID
// once its control file is whole. A block is here when it can be read without
// the network, and checked when it was held against its record since Open or
// came by Put since. A segment is a version's data file as others see it, that share
// blocks with it; its version is the owner of these bytes.
//
// # The folder
//
//	lock              locked by the owner (flock); holds its process number
//	format            the layout's number, with a checksum
//	index/log         metadata only: a snapshot and the changes since
//	                  (indexrecord.go); can be thrown away
//	versions/NAME/    one version; NAME is "p-" and the Key in hex, or the ID in
//	                  hex once the control file is whole; "x-..." is garbage
//	    control       the control file up to ControlLength, sparse until whole
//	    data          the blocks, each at its own offset, sparse
//	    known         which blocks are in data: pages with checksums (knownfile.go)
//	    shared        which blocks are in other versions' data files, and where
//	                  (sharedfile.go)
//	    manifest      SHA-256 of each block of a version that was verified
//	                  (manifest.go)
//	    place         where it came from, as the caller told; part of its name
//	    meta          state, which bytes of control are here, and a CRC-32C for
//	                  each 16 KiB of control (metafile.go); replaced as a whole
//
// # Order of writing
//
// Blocks are written to data and can be read at once. A checkpoint (every
// CheckpointInterval or CheckpointBytes, and at the last Close) then does, per
// version: copy the pages of the map that changed; fdatasync of control and of
// data; meta; the copied pages of known, fdatasync; shared; then, once for all
// versions, the index's log and its fdatasync. So what is on the disk never speaks of
// bytes that might not be. When an fdatasync fails, all that came since the
// last good checkpoint is forgotten.
//
// # Sharing
//
// A block may lie in another version's segment, at any byte of it (Share): then it
// takes no room. Runs always lead to the segment that has the bytes, never to another
// run, so there are no chains; versions may share with each other. A version that
// shares need not have the owner open: it has the segment's file.
//
// Gather brings all blocks of a version into its own file, 128 MiB at a time: it copies
// a batch and makes it durable; then it has every other version that refers to these
// bytes, the owner among them, refer to the copy, and makes that durable; then it
// punches holes where nobody needs the bytes any more. A crash in between leaves
// bytes twice, which Collect gives back, or costs blocks, never a wrong byte. Before a
// version goes (Remove, Discard, eviction), those who share its bytes gather them.
//
// Readers hold no lock meanwhile. Version.moves counts every change after which bytes
// that were looked up may be others; a reader that finds it changed after its read
// looks again. Bytes of a segment that are going to be overwritten are first taken
// from those who refer to them (claim). Holes are not punched while the file is read
// past the store: OpenData pins it, and a lock on the file (flock) tells of a process
// that outlives a daemon.
//
// # Room
//
// Put sets room aside before it writes, by pages of 4 KiB, and a checkpoint turns that
// into what the files take by then (totals); zeros are left out as holes. With
// Options.Limits the evictor keeps a 32nd of the limit free: versions go by the time of
// their last use, but for those that somebody holds (Hold) or that are to stay (Keep);
// one that is open and not held loses its blocks and stays open. When all that takes
// room is held, regions of 16 MiB go that nobody looked at for ten seconds, and that no
// other version shares. When nothing can go, Put returns ErrFull.
//
// # Damage
//
// Nothing on the disk is believed. A block is held against its record when it
// is first read after Open; a page of the control file against its CRC-32C
// when it is first used (hashing the whole file at open would cost 26 MB of
// reading before the first byte of a large image, and would say nothing about
// a control file that is not whole); a page of known and the meta file when
// they are loaded. The checksums of known and meta take in the Key, so files
// that were swapped between versions do not pass. What does not pass is
// forgotten and can be put again: a block, 16 KiB of the control file with the
// blocks whose records were there, or, with a meta file that cannot be made
// anew from a whole control file, the version. Of the index's log what stands
// before the damage counts, up to the last checkpoint that is whole; when that
// is nothing, the index is made anew from the folders. Values of MetaPut are
// then lost, as from any cache. None of it needs a hand, and each case is told to Options.Warn.
//
// # The index
//
// The index is badger in memory. Its own files are not used, for badger 4.9
// writes them through maps of sparse files: on a full disk the kernel then
// ends the process (SIGBUS, which recover does not catch), and does so again at
// each start until there is room. It also ended the process on some kinds of
// damage, from goroutines of its own, and a kill while it was opened cost all of
// it. What makes the index last is one log, by plain writes, which only return
// errors. A checkpoint adds one batch to it: the entries that changed since the
// last one. When the batches outgrow the snapshot before them, a new log with
// only a snapshot is written beside it and renamed over it, so that one rename
// changes both at once.
//
// When the log cannot be written, the index goes on in memory, which is told
// to Options.Warn once; the keys that changed wait for the next checkpoint, and
// when there are too many of them it writes all. Open writes no index and needs
// no room for one.
//
// Measured with 10,000 versions and 10,000 values of 600 bytes: 9 MB of log, 15
// to 22 MB of memory, also while all of it is replaced again and again. What
// decides that is the size of badger's tables: it keeps back some buffers of
// many times that size (with tables of 2 MiB and a memtable of 8 MiB, 77 MB in
// all). The values of MetaPut are cut into pieces to let the tables be small.
//
// # Cost
//
// A version that is open takes 2 bits of memory per block (3 and 40 bytes a run when
// it shares), 4 bytes per 16 KiB of its control file, and 3 descriptors, and one for
// each segment that it uses; one that is closed takes none. Open
// reads the index, and one name per version. Stats adds up what
// the checkpoints noted.
//
// # Locks
//
// In this order, outermost first; each says in its place what it guards:
//
//	Store.evicting, Store.moving, slot.opening, Version.promoting, Version.folder,
//	Version.files, controlFile.writing, Version.mu, controlFile.mu, Store.mu
//
// segment.mu is a leaf. Store.moving is held while blocks are moved or evicted, with
// all I/O of that, and read-held by Share; versions are opened and checkpointed under
// it, so nobody may take it who holds one of those behind it.
//
// index.saving and, inside of it, index.mu come after all but Version.mu,
// controlFile.mu and Store.mu, with which they are never held together.
// Store.life is taken before slot.opening or alone. Version.mu,
// controlFile.mu and Store.mu are never held during I/O, but for the reading
// back of the map after a failed fdatasync. Version.files is read-held by
// readers and writers during their I/O and write-held only for moments, when
// the files are swapped or closed. A reader thus waits for no writer and for no
// checkpoint.
//
// # Imports
//
// Of the project only format. Linux only: flock, fdatasync, O_NOFOLLOW.
package blockstore
