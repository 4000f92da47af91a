// Benchmark measures zsyncfs, zsync and zsyncmake beside other programs that do
// the same jobs, in one run on one machine, and prints tables with the ratios.
// scripts/bench builds and starts it.
//
// # Terms
//
// A tool is a program that takes part: one of this project, its peers, or a
// limit (curl, a local file, a FUSE daemon that only reads one), which is the
// most that can be had. A row is one thing that is measured for each of its
// tools; its metrics are the numbers that come out, each with its own line in
// the table and, where there is one, a goal for this project's: a number, or so
// many times as good as the peers in the same run. A measurement is one row for
// one tool once; rows are repeated, tool after tool in turn, so that a busy
// machine hits all of them, and the medians are printed; ratios of times are the
// medians of those within a turn. No number is printed that was not measured in
// the same run.
//
// A new row is a function of the type measure and an entry in the table rows.
//
// # What is measured
//
// Files are served by nginx on a free loopback port, with an access log: it
// says how many bytes a tool was sent and for how many requests. Rows "on the
// line" go through a delay of 10 ms in each direction and a rate that all
// connections share; opening a connection costs a round trip there, as on a
// real line. What the line does not imitate is TCP's slow start. Rows on the
// slow line have its rate for everything together and no delay; the server's
// socket buffers are small there, since its log counts what the kernel has taken.
//
// The peers run in the foreground, and their mount counts as made when the
// kernel shows it; the command of zsyncfs returns by itself. A peer can be several
// programs (nbdfuse, which has the mount, starts nbdkit): memory is that of all of
// them. Every measurement
// begins with a new mount and, unless the row says otherwise, an empty cache.
// The reader is this process, never one of the daemons. What zsyncfs gave is
// compared with the original outside the measured time.
//
// # Versions
//
// Rows "versions" are about what the versions of a file share in a mount. A pair
// of them is served by itself in a folder, a site: the version before is read
// through the mount, whole, the next one appears beside it and is read. No flag
// asks the mount to share. What the server sent of the next version and of its
// control file counts, headers included, beside what Debian's zsync is sent for
// it with the version before as its seed; listings do not. Rows "versions.seed"
// have the version before as a local file alone, by --seed. The images of a
// Debian are made once, by scripts/debian-images.
//
// "versions.scan-latency" and "versions.open-large" also say how much of the new
// version was found: reads that nothing is scanned beside are fast for no reason.
// "versions.ten" takes the disk of what the store has as the kernel tells it, and
// finds the different blocks by itself.
//
// # Compressed artifacts
//
// Rows "packed" are about "zsyncmake -z": how long its gzip files are, what both
// zsyncs and a mount are sent for the next version of a tar that is served only so,
// with the version before at hand, and how a long one reads in a mount, at random and
// in order. Which of a map's points need nothing before them is counted in the map.
//
// # zsync and zsyncmake
//
// Every row of zsync but "delta-peers" comes twice: with control files of Debian's
// zsyncmake and of this project's. Both programs run with the same options in an empty folder,
// and what they made is compared with the target each time. Rows "delta" count
// what the web server sent, control files and headers included, on packages
// that were really published (see corpus); compressed files are taken as they
// are. Rows "delta-time" and "delta-memory" update an image with 2 % changed,
// its pages in memory. "scan" is the search alone, of a seed without a match: see
// the function scan for how it is taken apart; in plain Go means without the
// kernels for AVX2 and AVX-512, which GODEBUG keeps a program from, and is held against
// the least that such a search does (lookups), by this process. "delta-peers"
// has the updates of "delta-time" beside casync, whose chunks are on the web
// server, and rsync, which has a server of its own. "make" has a limit: openssl
// computes the digests that a control file must have, each in a process of its own.
// "checksum" calls functions of this process. A program of this project that
// is not built is said to be so, and misses no goal. Debian's programs are known
// by what they say of their version, not by being first on the PATH.
//
// # Clients
//
// Rows "clients" are about the server: how much CPU time it takes, and how much it
// sends, when many clients update the same file. nginx is one process; rsync's
// server starts one for each connection, and has waited for all of them when its
// time is taken. What each client made is compared with the target. How many run at
// a time says nothing about a time: the clients are not what is measured.
//
// # Growth
//
// Rows "growth" have zsyncfs alone, with three sizes each: of readers, of an image,
// of a folder, of a store. The largest's number as a multiple of the smallest's (1:
// it is flat) has the goal. What is work is measured as CPU time of the daemon, by
// the kernel's clock of its process. Where a bend is expected the row's comment says
// why. All sizes have the same amount of that which does not grow: the same reads in
// all, the same data in images that differ by their holes. The titles have the
// sizes, and so come from those of the run (row.sized).
//
// # Short runs
//
// With --short everything is so small that times say little. Goals about time,
// or about work per time, are then held against what was measured and printed as
// ever, but missing them does not make the exit status 1. All other goals (bytes,
// requests, memory, identity) count, and so does a row that fails.
//
// # Ending
//
// Whatever is started or mounted is put on the stack of resources first or in
// the same step, and is released by process id and mount point. A signal closes
// the stack from another goroutine: mounts go away, so that a read that hangs
// in one returns, and the measuring goroutine parks at its next start.
//
// # Imports
//
// Of the project fs/mounttest/line, fs/mounttest/oldzsync, zsyncclient/sparse, and
// for the row "checksum" format/checksum, beside golang.org/x/crypto/md4: otherwise
// the programs are run as users run them.
package main
