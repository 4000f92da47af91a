// Command zsyncfs mounts remote directories of zsync control files, makes and serves
// such directories, and downloads single files through the block store of its mounts.
//
// # Architecture
//
// A control file (NAME.zsync) has a checksum of each block of a target, and one of the
// whole. So a target can be shown as a file before any of it is here: a block is taken
// from wherever a block with its checksum lies (this version, an older one, a local
// file), or else fetched by an HTTP range, and held against its checksum.
//
//	cmd/zsyncfs      commands, flags, settings, exit codes
//	cmd/internal     what commands are made of: the daemon and its socket, the status page,
//	                 metrics, the configuration file, systemd, the doctor, ...
//	fs               FUSE: names, inodes, handles, errno, what the kernel may keep
//	fs/archive       which names there are, and the headers of their control files
//	fs/target        one version that is open: which blocks are here, which are fetched,
//	                 readahead, verification of the whole
//	fs/target/reuse  which blocks other versions and local files have
//	fs/whole         a version as a whole: get, pin, cache verify
//	blockstore       verified blocks on disk, by version, shared among versions
//	zsyncclient      HTTP: control files, listings, ranges, hosts that fail, who may be
//	                 asked; whole downloads (download) and matching (seed) for zsync
//	format           bytes and arithmetic: control files, checksums, block geometry
//	fs/mounttest     tests by real mounts, servers and faults
//
// Imports point down only, which scripts/check sees to: cmd, fs, fs/target, then blockstore
// and zsyncclient, which do not know each other, then format. Nothing below cmd knows
// flags, prints or counts for others: it offers snapshots (Stats).
//
// # A mount
//
// "zsyncfs mount" asks the daemon of the cache directory over its socket, or starts one,
// which is this program again ("zsyncfs daemon"), and tells it what to mount on its
// standard input. It returns when the mount can be used. One daemon has one store and
// any number of mounts; it ends with the last of them (go doc ./cmd/internal/daemon).
//
// # A read
//
//	the kernel  -> fs.handle.Read -> target.Reader, which sees how the file is read
//	            -> blockstore, when all blocks are here: held against their checksums the
//	               first time after a start, then copied out
//	            -> else a flight for each missing run: zsyncclient fetches it from the best
//	               source, verifies each block against its record, and it goes to the store
//	               and to all who wait for it
//
// A version that is complete, verified and checked is given to the kernel, which reads
// it without the daemon (passthrough). What every package promises and which locks it
// takes in which order stands in its own documentation: fs/target is the heart.
//
// # Settings
//
// Flags are the only definition of settings: the environment, the configuration file and
// the options of mount(8) set flags that were not typed, and manual pages are made of
// them. settings.go has which of them may be set where.
//
// # Trust
//
// Control files, listings, replies, the store's own files and requests on the socket are
// bad input everywhere. README.md, "Security", has who can do what, and what holds him.
package main
