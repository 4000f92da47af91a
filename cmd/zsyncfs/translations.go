package main

import (
	"context"
	"crypto/tls"
	iofs "io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

const (
	hintDirectory   = "the URL must be a directory listing with .zsync files, or one .zsync file; --index-file takes a list of such URLs, one per line"
	hintCredentials = "the server wants to know who asks: see --user, --netrc, --header and --cert"
	hintLogin       = "the server does not accept the login that it was given: check name and password; a login goes to the host that was typed only"
	hintPublisher   = "the fault is the publisher's: a good control file is made with \"zsyncfs make FILE\""
	hintMismatch    = "the control file and the file on the server do not belong together"
	hintConnection  = "check the URL, and whether the server can be reached from here"
	hintRoom        = "make room on that disk (df and df -i show what it has); --cache-dir puts the cache on another"
	hintStore       = "choose another directory with --cache-dir; it is a cache, so nothing is lost when this one is removed"
)

// translations is the one table from errors to exit codes and hints. The first
// row that matches decides, so particular ones come before general ones.
var translations = []report.Translation{
	report.When(report.As[*blockstore.LockedError], exitStoreLocked, "another zsyncfs works with this cache directory; choose another with --cache-dir"),
	report.When(report.As[*blockstore.LayoutError], exitStoreDamaged, hintStore),
	report.When(report.Is(blockstore.ErrNotStore), exitStoreDamaged, "--cache-dir must be a new or empty directory, or one that zsyncfs made"),
	report.When(report.Is(daemon.ErrRoom), exitFailure, "let it take more (zsyncfs mount --cache-size), make room on its disk, choose a directory on another one with --cache-dir, or use \"zsync URL\", which needs no block store"),
	report.When(report.Is(blockstore.ErrUnsafe), exitStoreDamaged, "--cache-dir must be a directory of your own, where nobody else can write or rename it; mode 0700 is right"),
	report.When(report.Is(daemon.ErrForeignDaemon), exitStoreLocked, "choose another with --cache-dir"),
	report.When(report.Is(daemon.ErrShared), exitUsage, "--share-credentials says that this is meant"),
	report.When(report.Is(blockstore.ErrLimit), exitFailure, "let it take more (zsyncfs mount --cache-size, --cache-min-free), make room on its disk, or close files that are open"),
	report.When(report.Is(blockstore.ErrGone), exitFailure, "unmount, and mount again: that makes a new cache directory"),
	report.When(report.Is(syscall.EROFS), exitFailure, "make that file system writable again; --cache-dir puts the cache on another"),
	report.When(report.Is(syscall.ENOSPC), exitFailure, hintRoom),
	report.When(report.Is(syscall.EDQUOT), exitFailure, hintRoom),
	report.When(report.Is(syscall.EIO), exitFailure, "that disk fails, of which the kernel's log (dmesg) tells more; --cache-dir puts the cache on another"),
	report.When(report.Is(blockstore.ErrFull), exitFailure, hintRoom),

	report.When(report.Is(daemon.ErrNoMatch), exitFailure, "\"zsyncfs cache ls\" lists what is there"),

	report.When(report.Is(download.ErrNotRegular), exitFailure, "choose another file with -o"),
	report.When(report.Is(daemon.ErrNoDaemon), exitNoDaemon, "a daemon runs as long as something is mounted; see \"zsyncfs mount --help\""),
	report.When(report.Is(daemon.ErrNested), exitMount, "give a directory elsewhere with --cache-dir, or mount elsewhere"),
	report.When(report.Is(daemon.ErrMounted), exitMount, "unmount it first: zsyncfs umount MOUNTPOINT"),
	report.When(report.Is(daemon.ErrClosing), exitMount, "try again in a moment, or mount elsewhere"),
	report.When(report.Is(fs.ErrNoFusermount), exitMount, "on Debian and Ubuntu: apt-get install fuse3"),
	report.When(report.Is(fs.ErrMount), exitMount, "an ordinary user needs a /dev/fuse that may be opened and a mount point of his own; --allow-other needs user_allow_other in /etc/fuse.conf"),
	report.When(report.Is(daemon.ErrSource), exitUsage, "SOURCE is a URL such as https://example.org/images/"),
	report.When(report.Is(errLocked), exitStoreLocked, "choose another cache directory with --cache-dir, or try again"),

	report.When(report.Is(listing.ErrFormat), exitControlFile, hintDirectory),
	report.When(report.Is(listing.ErrNotListing), exitControlFile, hintDirectory),
	report.When(report.Is(listing.ErrTooMany), exitControlFile, "mount its subdirectories, or list what you need with --index-file"),
	report.When(report.As[*format.FileHashError], exitVerify, hintMismatch),
	report.When(report.Is(format.ErrLength), exitVerify, hintMismatch),
	report.When(report.Is(target.ErrSuspect), exitVerify, hintMismatch),
	report.When(report.As[*zsyncclient.LengthError], exitVerify, hintMismatch),
	report.When(report.Is(zsyncclient.ErrWrongBlocks), exitVerify, hintMismatch),
	report.When(report.As[*format.ParseError], exitControlFile, hintPublisher),
	report.When(report.As[*format.ShortError], exitControlFile, hintPublisher),

	report.When(status(http.StatusUnauthorized, http.StatusForbidden), exitSource, hintCredentials),
	report.When(zsyncclient.IsGone, exitSource, hintDirectory),
	report.When(report.As[*zsyncclient.StatusError], exitSource, ""),
	report.When(report.Is(zsyncclient.ErrForbiddenAddress), exitSource, "--allow-private lets control files and redirects lead to private addresses"),
	report.When(report.As[*tls.CertificateVerificationError], exitSource, "--cacert names the authority that signed the server's certificate"),
	report.When(report.As[tls.RecordHeaderError], exitSource, "no HTTPS is spoken at that port: is it http:// that was meant?"),
	report.When(report.As[*net.DNSError], exitSource, "check the spelling of the host, and the name servers of this machine"),
	report.When(report.As[*zsyncclient.SourceError], exitSource, ""),
	report.When(report.Is(download.ErrNoSource), exitSource, ""),
	report.When(report.Is(zsyncclient.ErrNoRanges), exitSource, ""),
	report.When(report.Is(zsyncclient.ErrStalled), exitSource, hintConnection),
	report.When(report.Is(target.ErrStalled), exitSource, hintConnection),

	// Before what follows: an interrupted request is an error of the net too.
	report.When(report.Is(context.Canceled), exitInterrupted, ""),
	report.When(report.As[*url.Error], exitSource, hintConnection),
	report.When(report.As[*net.OpError], exitSource, hintConnection),
	report.When(report.Is(context.DeadlineExceeded), exitSource, hintConnection),

	report.When(report.Is(iofs.ErrPermission), exitFailure, "check who owns the directory or file; --cache-dir names another cache directory"),
	report.When(report.Is(making.ErrChanged), exitFailure, "try again when nobody writes to it any more"),
}

// status matches answers with one of these HTTP status codes.
func status(codes ...int) func(error) bool {
	return report.Where(func(e *zsyncclient.StatusError) bool { return slices.Contains(codes, e.Code) })
}
