// Command zsyncmake makes control files: for each file the list of checksums,
// NAME.zsync, with which a client fetches only those parts of the file that it
// does not have.
//
//	zsyncmake [OPTION]... [FILE]...
//
// The control file is written to the current directory as NAME.zsync, where NAME
// is FILE without its directories. With no FILE, or "-", standard input is
// described, and the control file goes to standard output. Several FILEs get a
// control file each and are summed side by side; when some fail, the others are
// made. A control file appears whole or not at all, and keeps the permissions of
// the one that it replaces. A file that changes while it is read is refused.
//
// Options may stand before and after FILEs, short ones may be joined (-vb4096),
// and "--" ends them.
//
//	-b, --block-size=SIZE     bytes in a block: a power of two from 512 to 16M; K
//	                          and M may follow. 0 is the default: 2048, from 100
//	                          million bytes on 4096, and 2048 for pipes.
//	-f, --filename=NAME       the name that the target gets, instead of FILE's.
//	                          The control file is then NAME.zsync; for standard
//	                          input too. One FILE only.
//	-o, --output=PATH         where the control file goes; "-" is standard output.
//	                          One FILE only.
//	-u, --url=URL             where the target will be, relative to the control
//	                          file's URL or absolute. Can be repeated. Default:
//	                          FILE as typed. With several FILEs, URL must end in
//	                          "/", and the name of each is added.
//	-U, --uncompressed-url=URL
//	                          where the content of a gzip file will be, without
//	                          compression. Can be repeated. For a FILE that is no
//	                          gzip file, these are URLs as well, after those of -u.
//	-s, --strong=ALGORITHM    the strong checksum of the blocks: MD4 (the default),
//	                          MD5 or SHA-224. zsync 0.6.2 knows MD4 only.
//	-e, --exact               the client must get the very bytes of FILE.
//	-C, --no-recompress       a client need not compress what it has received.
//	-Z, --as-is               describe a gzip FILE as the bytes that it is, and not
//	                          what is inside.
//	-z, --compress            compress FILE to FILE.gz, beside it, and describe FILE
//	                          with a map of FILE.gz. What comes from standard input
//	                          goes to zsync-target.gz, or with -f to NAME.gz.
//	    --restart=SIZE        with -z: after how many bytes of FILE compression
//	                          starts afresh, 32K to 16M. Default: 128K to 512K,
//	                          the more the better FILE compresses.
//	    --compat=0.6.2        write byte for byte what zsyncmake 0.6.2 writes.
//	-v, --verbose             say what is done, on standard error.
//	-V, --version             print the version.
//	-h, --help                print a summary.
//
// # What is written
//
// By default, a control file that zsync 0.6.2, zsync 0.7 and AppImage's zsync2
// all accept and by which all of them verify the result: MD4 and rsum in full
// length, SHA-1, and SHA-256 in "File-Hash", which "Safe" lets older readers
// ignore. It has 20 bytes for each block where 0.6.2 writes 5 to 9, and in return
// every single block of a seed can be used, and false matches cannot happen.
// Those 20 bytes for each block, and some MiB for reading, are also the memory
// that is taken.
//
// With --compat=0.6.2 the output is that of zsyncmake 0.6.2, to the byte: short
// checksums (the "Hash-Lengths" that it calculates), SHA-1 only, URLs and names
// as typed.
//
// # Gzip files
//
// A FILE that starts as gzip files do is described by what is inside: the target is
// the content, NAME without ".gz" (".tgz" becomes ".tar"), and a map says where
// its parts are in the gzip file at Z-URL, which are fetched instead of the whole.
// When gzip(1), with one of the four sets of options that clients know, makes the
// very same file again, this is written as Recompress, and clients end up with the
// gzip file. All of it is compared. Else, with a note, they get the content; with -e
// that is an error, and with -C gzip(1) is not tried at all.
//
// Some gzip files cannot be described so, or zsync 0.6.2 would deliver something
// else than was published: those of several members or with bytes behind them, with
// other parts than a name in their header, damaged or empty ones, those whose points
// are too far apart for a map, and those of which gzip(1) makes the first 900 bytes
// but not the rest. They are described as they are, as with -Z, and a note says why.
//
// With -z a gzip file is made that suits a map: each block of the target is
// a compressed block of its own (of 4096 bytes at most), and nothing refers back
// beyond the last restart, so that any part can be had without what is before. It
// takes some percent more room than gzip -9 makes it. All cores work at it.
//
// # Messages and exit codes
//
// Standard error gets lines that start with "zsyncmake: error:", "hint:" and
// "note:", and on a terminal a line of progress. Notes are about what is likely
// to surprise; nothing is wrong.
//
//	  0  success
//	  2  anything else, as with 0.6.2
//	128  and the number of the signal that ended it (130 for Ctrl-C); nothing
//	     unfinished is left behind
//
// # Differences from 0.6.2
//
// What 0.6.2 accepted with sense is accepted, and the same files come out of it,
// but for these differences.
//
//   - With several FILEs, 0.6.2 reads standard input instead. Here each is made.
//   - With no FILE and a terminal as standard input, 0.6.2 waits for typing.
//     Here that is an error; "-" asks for it. Nor are control files written to a
//     terminal.
//   - "-" is standard input and standard output; for a file of that name, type
//     "./-".
//   - An unknown option or a missing value is an error with exit code 2; 0.6.2
//     complains and goes on. -b takes numbers only: 0.6.2 takes "abc" and "0x800"
//     for 0 and "1k" for 1. Block sizes that clients refuse, below 512 or above 16
//     MiB, are refused.
//   - A failure to write, as when the disk is full, is an error; 0.6.2 ends with
//     exit code 0.
//   - A directory, an empty name or URL, an output that is the input, and names
//     and URLs with control characters (which would add headers) are refused.
//   - Without --compat, a URL is written as one: a space or a byte beyond ASCII
//     becomes %20 and the like, and so do special characters in the default URL.
//     A name that a control file cannot carry is left out, with a note.
//   - 0.6.2 takes the first 900 bytes for the whole when it tries gzip(1), so that
//     clients can end up with another file, also with -e. Here, and also with
//     --compat=0.6.2, all is compared, and what does not come out right is described
//     as with -Z; the control file is then NAME.gz.zsync where 0.6.2 writes
//     NAME.zsync. Without --compat, files below 1024 bytes are tried as well.
//   - With -Z, -U is left out for a gzip file, because what it leads to is not the
//     target; not with --compat=0.6.2.
//   - A gzip file from standard input is copied to a temporary file first; 0.6.2
//     fails.
//   - -z makes another gzip file than 0.6.2, so its map is another, also with
//     --compat=0.6.2. -z and -Z together are refused: 0.6.2 then describes the gzip
//     file under the name of FILE.
//   - -V prints the version of this program.
package main
