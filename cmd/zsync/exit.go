package main

import (
	"crypto/tls"
	"errors"
	iofs "io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// The exit codes are those of zsync 0.6.2; scripts rely on them.
const (
	exitControl report.Code = 1 // the control file is no good one
	exitFile    report.Code = 2 // the file could not be made, for whatever reason
	exitFetch   report.Code = 3 // wrong usage, or the control file cannot be fetched
)

// errChanged is the answer of -j that has exit code 1.
var errChanged = errors.New("the file is not up to date")

var program = report.Program{Name: "zsync", Table: []report.Translation{
	report.When(report.As[*signals.Ended], 0, ""), // it has its own code
	report.When(report.Is(download.ErrBusy), exitFile, "wait for it, or choose another file with -o"),
	report.When(report.Is(download.ErrNotRegular), exitFile, "choose another file with -o"),
	report.When(report.As[*download.VerifyError], exitFile, "the control file and the file on the server do not belong together, or the seeds misled: remove the .part file and try again without -i, or tell the publisher"),
	report.When(report.Is(download.ErrNoSource), exitFile, "-u URL says where a local control file came from; --mirror URL names a source"),
	report.When(report.Is(zsyncclient.ErrForbiddenAddress), exitFetch, "--allow-private lets control files and redirects lead to private addresses"),
	report.When(status(http.StatusUnauthorized, http.StatusForbidden), exitFetch, "-A HOST=USER:PASSWORD is a login; HOST with its scheme and port, as in https://example.com:8443, where they are not those of the control file"),
	report.When(report.As[*tls.CertificateVerificationError], exitFetch, "--cacert names the authority that signed the server's certificate"),
	report.When(report.As[tls.RecordHeaderError], exitFetch, "no HTTPS is spoken at that port: is it http:// that was meant?"),
	report.When(report.As[*download.FetchError], exitFile, "try again later, or name another source with --mirror"),
	report.When(report.As[*format.ParseError], exitControl, "this is no good control file: check the URL or path, or tell the publisher (zsyncmake makes good ones)"),
	report.When(report.As[*format.ShortError], exitControl, "the control file is not complete: fetch it again"),
	report.When(report.As[*zsyncclient.StatusError], exitFetch, "check the URL: it is that of the control file, which mostly ends in .zsync"),
	report.When(report.As[*net.DNSError], exitFetch, "check the spelling of the host"),
	report.When(report.As[*url.Error], exitFetch, ""),
	report.When(report.As[*net.OpError], exitFetch, "check the URL, and whether the server can be reached from here"),
	report.When(report.Is(zsyncclient.ErrStalled), exitFetch, ""),
	report.When(report.Is(zsyncclient.ErrTargetChanged), exitFetch, "try again: it was replaced meanwhile"),
	report.When(isFullDisk, exitFile, "make room on the disk"),
	report.When(report.Is(iofs.ErrPermission), exitFile, "-o FILE puts it elsewhere; else see who may write to that directory"),
	report.When(report.As[*iofs.PathError], exitFile, ""),
}}

// status matches answers with one of these HTTP status codes.
func status(codes ...int) func(error) bool {
	return report.Where(func(e *zsyncclient.StatusError) bool { return slices.Contains(codes, e.Code) })
}

func usageError(err error, hint string) error {
	err = report.WithCode(exitFetch, err)
	if hint != "" {
		err = report.WithHint(err, "%s", hint)
	}
	return err
}
