// Package target is the one place that decides "local block or remote range".
//
// A Target is one version of a target file that is open: the blocks of it that
// the store has (blockstore.Version) and the places where the others are
// (zsyncclient.Source). It knows no FUSE, so it is tested without a mount.
//
// # The path of a read
//
//	Reader.ReadAt -> Target.ReadAt -> store, when every block is here
//	                               -> piece per missing run -> flight -> Source.Fetch -> verify -> store -> pieces
//
// A flight is one fetch of missing blocks: a run, or several in one request where
// they are wanted together. Flights of a target are
// disjoint, so a block is fetched once however many readers wait for it. A
// piece is one missing run of one read; flights copy verified blocks straight
// into the reader's buffer as they arrive and wake it when its last block came,
// not at the end of the flight. A store that has no room (a full disk) thus
// costs the cache, not the read.
//
// Flights run on the target's context and end when no block arrived for
// Options.ReadDeadline: a reader that goes away cancels nothing that others
// wait for. A flight in the background, of a fill, waits for all who read from the same
// host; when a reader waits for it and it brings nothing for 250 ms, one in the foreground
// brings what is left (hurry).
//
// When the store cannot even make the version, it is read through
// blockstore.Nowhere, which keeps nothing; slices of records are then kept in
// memory, and nothing is fetched ahead, because it would be lost. The store tells of
// it. Once it has no trouble any more, the next Open makes another target.
//
// # Readahead
//
// A random miss fetches its own blocks only. Each open handle has a Reader, which
// tells from the order of the reads how it is read (pattern.go). Reads that go on where
// the one before ended are a burst. After the second read of one a window is kept ahead
// of the reader, which starts at 256 KiB and doubles up to the larger of 8 MiB and two
// round trips' worth of the measured rate, but never more than one second's
// worth and no less than 128 KiB, because a reader that jumps into a window waits
// for what is before it. A limit of the client's rate is the line's rate here.
//
// Bursts whose starts are equally far from each other, forwards or backwards, are
// strided: from the fourth on the next ones are fetched, four at first, up to 64 or a
// quarter of the longest window. Their records are asked for at once.
//
// A window counts missing blocks only, so that a reader of a file of which most is
// here asks for many small runs at once. Nothing is fetched ahead while it may be
// found here (below), nor with FillOff. FillFull completes each target that was
// opened, a few MiB at a time and behind all readers.
//
// # Blocks that are here already
//
// When a target is first opened and the store has versions that may be its
// relatives, or there are seeds, a search begins (search.go): the rest of the control
// file is fetched, and package reuse looks for blocks. It begins near the reader.
// Reads do not wait for its end: what is not found yet is fetched. A read by itself
// waits until 50 ms after the search began, or 0.8 s when what is to be looked at is
// so little that 0.4 s are enough; a read in a row until 2 s after, or 0.5 s while
// nothing was found. So the first reads of a new version of a small file fetch what
// is new in it and no more, and those of a large one wait for little. Where no name
// tells of relatives, the search begins when the control file has become whole for
// other reasons: sketches may tell.
//
// # The control file comes by parts
//
// Records are fetched with the blocks that need them, side by side, in slices
// rounded to 4 KiB. The rest of the control file follows in the background once
// what the readers fetched outweighs it, so that it at most doubles the traffic
// of a short visit: for a 5 GiB image it is 10 to 26 MB, which a reader of a few
// blocks never needs.
//
// When blocks contradict their records although they were asked for again, the records
// are fetched once more, seldom (look.go). Where others come, twice, those that are here
// were damaged on their way: the version is thrown away, and reads end with
// ErrOtherRecords, after which the next Open of the same control file begins anew.
//
// # Past this package
//
// A target that is verified, whose blocks lie in one file and were all checked since
// the store was opened, can be given to a kernel that reads it by itself (Show). After a
// start the blocks that nobody has read are checked for it once reads have cost as much
// as that will (show.go). While a kernel has the file of an older version, the newest
// cannot get the blocks that it shares with it; that is tried again when one is closed.
//
// # States
//
// A target of at most SmallLength bytes is fetched and verified as a whole
// before its first byte is served. A larger one is verified in the background
// when its last block has arrived, or when it is next opened if that was cut
// short. When its digest does not agree, all blocks that did not come from a source
// since it was opened are forgotten and fetched, while reads wait, and nothing is
// ever reused for this version again (repair.go); the store tells its user, who has kernels
// drop their pages (blockstore.Options.Wrong).
// When it does not agree still, it is suspect and its reads fail with
// ErrSuspect. A suspect version is forgotten and fetched again when it is opened
// anew after a pause that doubles from a minute to an hour. With Options.Strict no
// byte is served of a target that is not verified: reads wait, as long as blocks
// come.
//
// A version that is verified is brought into one file (blockstore.Version.Gather),
// when none that it shares blocks with is of a later date: the newest is read most. What
// others take of it later, for a "zsyncfs get" say, comes back when it is read much.
//
// # Servers without ranges
//
// When no source answers range requests, one flight streams the whole target
// into the store from its start; readers wait for their blocks to pass, and so do a
// fill, a strict target and a repair. A stream is in the foreground, whoever began it. A
// source with ranges that is left alone for no more than a second is waited for instead.
//
// # Gzip copies
//
// What is shown is always the target. Where it is fetched of a gzip copy by parts,
// more blocks may come than a flight asked for: what was decoded before the first one
// of it. They are stored like the others.
//
// # Imports and locks
//
// It imports package reuse, blockstore, zsyncclient and format, and nothing that
// imports go-fuse. Lock order: Pool.mu, then Reader.mu, then Target.mu; search.mu is
// a leaf. Nothing is read or fetched under any; Target.mu is held while verified
// bytes are copied to readers' buffers.
package target
