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
// came by Put since.
//
// # The folder
//
//	probe             there for a moment (trouble.go)
//	lock              locked by the owner (flock); holds its process number
//	format            the layout's number, with a checksum
//	index/log         metadata only: a snapshot and the changes since
//	                  (indexrecord.go); can be thrown away
//	versions/NAME/    one version; NAME is "p-" and the Key in hex, or the ID in
//	                  hex once the control file is whole; "x-..." is garbage
//	    control       the control file up to ControlLength, sparse until whole
//	    data          the blocks, each at its own offset, sparse
//	    known         which blocks are in data: pages with checksums (knownfile.go)
//	    shared        which blocks are in other versions' data, and where
//	                  (sharedfile.go); replaced as a whole, not there without any
//	    manifest      SHA-256 of each block of a version that was verified
//	                  (manifest.go)
//	    shown         the boot of the machine in which data was given to the kernel
//	    place         where it came from, as the caller told; part of its name
//	    meta          state, which bytes of control are here, and a CRC-32C for
//	                  each 16 KiB of control (metafile.go); replaced as a whole
//
// Nobody but the owner has a part in it. MakeFolder refuses a folder that is another
// user's, or where another could put one in its place, and closes one that others could
// read or write, once it has found nothing there that they planted. Files are 0600, and
// opened without following symbolic links.
//
// # Order of writing
//
// Blocks are written to data and can be read at once. A checkpoint (every
// CheckpointInterval or CheckpointBytes, and at the last Close) then does, per
// version: copy the pages of the map that changed; fdatasync of control and of
// data; meta; the copied pages of known, fdatasync; shared, after the index has the names
// of those whose blocks they are; then, once for all
// versions, the index's log and its fdatasync. So what is on the disk never speaks of
// bytes that might not be. When an fdatasync fails, all that came since the
// last good checkpoint is forgotten.
//
// # Verified
//
// What a Verified version serves is what was held against the digests of the whole, also
// after a crash. While the disk says Verified, known names there no bytes of data but such
// bytes: the disk is told so after known and shared are (Version.write), and nothing else
// is written to data before it is told Provisional (Version.fill, Version.gather). After a
// failed fdatasync the version is Provisional if the disk says so (Version.condemn). Shared
// blocks may change while the version is closed; they are held against the manifest.
//
// A block that is lost and comes again is held against the manifest. When there is none,
// for want of room, the version is Provisional as soon as a block of it is lost.
//
// # After a crash
//
// What a kill leaves is looked after without a hand. Open takes in folders that the index
// does not know, and removes in the background what was set aside; then what each version
// takes on the disk is booked anew where the index, which is as old as the last checkpoint,
// says something else, and what is too much is evicted (survey.go). Files that were being
// replaced go when their version is opened. Bytes in a data file that no map speaks of are
// booked, overwritten by the blocks that belong there, and go with the version or,
// while it is open, when room is needed.
//
// Between the steps of the order there are failpoints: in programs built with the tag
// "failpoints" the process kills itself at one of them (failpoint_kill.go).
//
// # Sharing
//
// The data file of a version, as others see it, is a segment. Share has blocks of
// one version refer to bytes of another's segment, at any byte offset; they take no
// room. Such a block has one place: to put it moves it to the own file. A run that
// was shared is held against its records when it is first read, like any block, so
// nothing in the file "shared" needs to be true. A segment is open while somebody
// uses it and stays readable when its version is removed; a version that comes
// again has another one.
//
// Gather makes a version whole in its own file, by batches. The shared bytes of a
// batch are read, checked and written to the own file of the heir, and that is made
// durable; then all others that refer to these bytes refer to the heir, and are
// durable; then the owner does so too; and only when it is durable as well are
// holes punched into the owner's file, but for what somebody needs still. A crash in
// between leaves bytes twice, or blocks of the batch that are lost. From a file that is
// pinned nothing may go: Gather leaves it at that, and OpenData, whose caller wants the
// whole now, copies, within the limits. Such blocks are there twice, each version's own.
//
// Bytes of a segment change when blocks are put over them, when they are punched,
// and when an fdatasync failed; those that are written over by the same ones do not.
// Whoever changes them claims them before: those who
// refer to them forget the blocks, and until the change is done nobody begins to
// refer to them. Version.moves is a sequence lock: it counts what may make the bytes
// that a reader looked up other bytes, and is changed before they are. A reader
// looks up, reads, and looks up again if it has changed meanwhile; so it holds no
// lock that a move would wait for.
//
// Between a look at bytes and a reference to them a long time may pass: Gather makes what
// it copied durable in between. A block that is forgotten and put meanwhile may have other
// bytes, which agree with the same record when its checksums are cut short. So Gather
// watches both files from before it reads (claim.go): what was claimed meanwhile stays
// where it is, and it writes over nothing that was put (Version.writing). Share believes
// that a run was checked only if Moves is what it was before; and SetVerified fails when
// blocks were forgotten since the whole was read. A version that is closed when others
// change bytes that it refers to learns of it by its manifest: what it shares is held
// against that when it is first read, and without one it is Provisional again. One version
// is gathered at a time: two would take the blocks from each other without end.
//
// What was looked up is in a file, and not in whatever bears a version's name by now: a
// folder that cannot be used is dropped while others have its file open, and somebody may
// swap files of a store in use. So Share and Gather go by the file that they read, those
// who change bytes look who refers to that file, and no file is the own one of two
// versions that are open (parts.go).
//
// The Key of a version that was discarded may be another's by now, so such a version
// neither shares nor gathers.
//
// # Limits
//
// Put reserves room, in pages of the disk, before it writes; a checkpoint books what
// the files take instead. When there is none, Put waits a moment for the evictor
// and then returns ErrFull. Runs of zeros take no room. The control files are not
// reserved, only booked, so Limits.Size may be passed by those of one checkpoint, and
// by the one batch of Gather that is there twice for a moment (a hundredth of the
// limit, or 1 MiB).
//
// The evictor removes versions, those first that were used longest ago, but none
// that is held (Hold), kept (Keep) or pinned (OpenData). Before one goes, each that
// refers to its file gathers what it needs of it, or copies it if a program has the file
// in memory; what cannot be gathered is lost, but the file stays if one that is kept loses
// by it. When that is not enough, regions of versions in use go that nobody has looked at
// for a while, of files to which no other refers; none of what is wanted whole (WantWhole)
// before it is verified. The bytes of a file that is pinned
// are not punched until it is closed. Where the disk makes no holes, versions that are
// open stay as they are.
//
// ShowData pins a file for the kernel, which serves reads from it by itself. All of it is
// on the disk by then: when a file system ends for good, reads past the kernel's memory
// give zeros for what is not. A program may map the file into memory and close it; the
// map then is one of this very file, which nobody tells the store of. So the folder says
// that the file was shown, and from then on until the machine is started again the bytes
// of the file are only given back when the kernel says that nobody else has it (a write
// lease can be had), or with the file itself, whose bytes stay with the map. For this a
// data file is open once in the process (datafile.go).
//
// # Damage
//
// Nothing on the disk is believed. A block is held against its record when it
// is first read after Open, and again when its version was closed and its files were
// changed since (proven.go); a page of the control file against its CRC-32C
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
// # Trouble
//
// A store that cannot keep what it is given, because the disk is full, fails or may
// not be written, or because its limits leave no room, says so in Stats, and once to
// Options.Warn: not for each block. Puts and opens fail meanwhile, what is here can be
// read, and what the disk does not give back is forgotten, so that it is fetched.
// The checkpointer tries whether a small file can be written, and ends the trouble when
// it can (trouble.go).
//
// When the folder is removed, or another process has made one of the same name, the
// lock's file is not in it. Then nothing is written or removed by name any more.
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
// When the log cannot be written, the index goes on in memory; the keys that changed wait for the next checkpoint, and
// when there are too many of them it writes all. Open writes no index and needs
// no room for one.
//
// Measured with 10,000 versions and 10,000 values of 600 bytes: 9 MB of log, 15
// to 22 MB of memory, also while all of it is replaced again and again. What
// decides that is the size of badger's tables: it keeps back some buffers of
// many times that size (with tables of 2 MiB and a memtable of 8 MiB, 77 MB in
// all). The values of MetaPut are cut into pieces to let the tables be small, and
// bounded together (indexbound.go): a server can name any number of files, and control
// files may have long headers.
//
// # Cost
//
// A version that is open takes at most 2 bits of memory per block, and next to none
// of them for 32640 neighbours that are all here or all not (bitset.go), 4 bytes per
// 16 KiB of its control file, 4 bytes per 16 MiB of its target, and 3 descriptors, or 4
// of a verified one that shares;
// with shared runs a third bit, 40 bytes per run, at most 1<<20, and a descriptor per
// segment, at most 64, that all who use it have together. One that is closed takes
// none. To open one takes what reading its files meta and known does, of the latter
// without the holes. Open reads the index, and one name per version, and in the
// background the sizes of its files. Stats adds up what the checkpoints noted.
//
// # Locks
//
// In this order, outermost first; each says in its place what it guards:
//
//	Store.gathers, Store.evicting, Store.moving, slot.opening, Version.promoting,
//	Version.folder, Version.files, Version.writing, controlFile.writing,
//	Version.mu, segment.mu, controlFile.mu, Store.mu
//
// index.saving and, inside of it, index.mu come after all but Version.mu,
// controlFile.mu and Store.mu, with which they are never held together.
// Store.moving is held, with I/O, by Gather, evictions and all that punches, which
// open other versions meanwhile: nobody may wait for it who holds a lock after it
// or Store.life. Share holds it for reading. Store.life is taken before
// slot.opening or alone. No other lock is taken while segment.mu is held.
// Version.mu, controlFile.mu and Store.mu are never held during I/O, but for the
// reading back of the map after a failed fdatasync. Version.files is read-held by
// readers and writers during their I/O and write-held only for moments, when the
// files are swapped or closed. A reader thus waits for no writer and for no
// checkpoint. Those who change the bytes of a version's file wait for each other
// (Version.writing), for one piece at a time.
//
// # Imports
//
// Of the project only format. Linux only: flock, fdatasync, O_NOFOLLOW.
package blockstore
