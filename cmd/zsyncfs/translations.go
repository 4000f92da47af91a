package main

import (
	"context"
	"crypto/tls"
	"errors"
	iofs "io/fs"
	"net"
	"net/http"
	"net/url"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

const (
	hintDirectory   = "the URL must be a directory listing with .zsync files, or one .zsync file; --index-file takes a list of such URLs, one per line"
	hintCredentials = "the server wants to know who asks: see --user, --netrc, --header and --cert"
	hintPublisher   = "the fault is the publisher's: a good control file is made with \"zsyncfs make FILE\""
	hintMismatch    = "the control file and the file on the server do not belong together"
	hintConnection  = "check the URL, and whether the server can be reached from here"
	hintStore       = "choose another directory with --cache-dir; it is a cache, so nothing is lost when this one is removed"
)

// translations is the one table from errors to exit codes and hints. The first
// row that matches decides, so particular ones come before general ones.
var translations = []translation{
	{as[*blockstore.LockedError], exitStoreLocked, "another zsyncfs works with this cache directory; choose another with --cache-dir"},
	{as[*blockstore.LayoutError], exitStoreDamaged, hintStore},
	{is(blockstore.ErrNotStore), exitStoreDamaged, "--cache-dir must be a new or empty directory, or one that zsyncfs made"},
	{is(blockstore.ErrFull), exitFailure, "make room on the disk of the cache directory, or choose another with --cache-dir"},

	{is(daemon.ErrNoDaemon), exitNoDaemon, "a daemon runs as long as something is mounted; see \"zsyncfs mount --help\""},
	{is(daemon.ErrMounted), exitMount, "unmount it first: zsyncfs umount MOUNTPOINT"},
	{is(fs.ErrNoFusermount), exitMount, "on Debian and Ubuntu: apt-get install fuse3"},
	{is(fs.ErrMount), exitMount, "an ordinary user needs a /dev/fuse that may be opened and a mount point of his own; --allow-other needs user_allow_other in /etc/fuse.conf"},
	{is(daemon.ErrSource), exitUsage, "SOURCE is a URL such as https://example.org/images/"},
	{is(errLocked), exitStoreLocked, "choose another cache directory with --cache-dir, or try again"},

	{is(listing.ErrFormat), exitControlFile, hintDirectory},
	{is(listing.ErrNotListing), exitControlFile, hintDirectory},
	{is(listing.ErrTooMany), exitControlFile, "mount its subdirectories, or list what you need with --index-file"},
	{as[*format.FileHashError], exitVerify, hintMismatch},
	{is(format.ErrLength), exitVerify, hintMismatch},
	{is(target.ErrSuspect), exitVerify, hintMismatch},
	{as[*zsyncclient.LengthError], exitVerify, hintMismatch},
	{is(zsyncclient.ErrWrongBlocks), exitVerify, hintMismatch},
	{as[*format.ParseError], exitControlFile, hintPublisher},
	{as[*format.ShortError], exitControlFile, hintPublisher},

	{status(http.StatusUnauthorized, http.StatusForbidden), exitSource, hintCredentials},
	{status(http.StatusNotFound, http.StatusGone), exitSource, hintDirectory},
	{as[*zsyncclient.StatusError], exitSource, ""},
	{is(zsyncclient.ErrForbiddenAddress), exitSource, "--allow-private lets control files and redirects lead to private addresses"},
	{as[*tls.CertificateVerificationError], exitSource, "--cacert names the authority that signed the server's certificate"},
	{as[*net.DNSError], exitSource, "check the spelling of the host, and the name servers of this machine"},
	{as[*zsyncclient.SourceError], exitSource, ""},
	{is(zsyncclient.ErrNoRanges), exitSource, ""},
	{is(zsyncclient.ErrStalled), exitSource, hintConnection},
	{is(target.ErrStalled), exitSource, hintConnection},

	// Before what follows: an interrupted request is an error of the net too.
	{is(context.Canceled), exitInterrupted, ""},
	{as[*url.Error], exitSource, hintConnection},
	{as[*net.OpError], exitSource, hintConnection},
	{is(context.DeadlineExceeded), exitSource, hintConnection},

	{is(iofs.ErrPermission), exitFailure, "check who owns the directory or file; --cache-dir names another cache directory"},
	{is(making.ErrChanged), exitFailure, "try again when nobody writes to it any more"},
}

// status matches answers with one of these HTTP status codes.
func status(codes ...int) func(error) bool {
	return func(err error) bool {
		var answer *zsyncclient.StatusError
		if !errors.As(err, &answer) {
			return false
		}
		for _, code := range codes {
			if answer.Code == code {
				return true
			}
		}
		return false
	}
}
