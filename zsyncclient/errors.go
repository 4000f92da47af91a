package zsyncclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/zsyncfs/zsyncfs/format"
)

// Conditions that callers branch on.
var (
	// ErrNotModified: the document still has the validators given.
	ErrNotModified = errors.New("not modified")
	// ErrTargetChanged: the remote control file or target is not the one that was opened.
	ErrTargetChanged = errors.New("the remote file has changed")
	// ErrNoRanges: no source of the target answers range requests.
	ErrNoRanges = errors.New("the server does not answer range requests")
	// ErrStalled: no byte arrived for Options.StallTimeout.
	ErrStalled = errors.New("no data arrived within the stall timeout")
	// ErrWrongBlocks: a source sent bytes that are not the target's.
	ErrWrongBlocks = errors.New("the data does not match the checksums of the control file")
	// ErrForbiddenAddress: an address that only the user may name (loopback,
	// private, link-local ...) came from a control file, listing or redirect.
	ErrForbiddenAddress = errors.New("address in a private range that the user did not name")
	// ErrClosed: the Client was closed.
	ErrClosed = errors.New("client closed")
)

// StatusError is an answer with an unexpected HTTP status.
type StatusError struct {
	// URL has neither query nor user information.
	URL  string
	Code int
}

func (e *StatusError) Error() string {
	text := http.StatusText(e.Code)
	if text == "" {
		text = "unknown status"
	}
	return fmt.Sprintf("%d %s from %s", e.Code, text, e.URL)
}

// IsGone says whether err means that the server knows no such document.
func IsGone(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusGone)
}

// LengthError: a document has another length than its control file says.
type LengthError struct {
	// Want and Got are bytes; Got is -1 when only known to be more than Want.
	Want, Got int64
}

func (e *LengthError) Error() string {
	if e.Got < 0 {
		return fmt.Sprintf("wrong length: more than the %d bytes of the control file's Length", e.Want)
	}
	return fmt.Sprintf("wrong length: %d bytes, the control file's Length is %d", e.Got, e.Want)
}

// WrongBlockError is ErrWrongBlocks of one block, the first that was wrong.
type WrongBlockError struct{ Block format.BlockID }

func (e *WrongBlockError) Error() string { return fmt.Sprintf("block %d: %v", e.Block, ErrWrongBlocks) }
func (e *WrongBlockError) Unwrap() error { return ErrWrongBlocks }

// IsMismatch says whether err means that a server has something else than the
// target: other bytes, or another length, so that a range of the target is none
// there (lighttpd's 416 does not say the length). That is how it looks, too, while
// a target and its control file are being replaced one after the other.
func IsMismatch(err error) bool {
	var length *LengthError
	var status *StatusError
	return errors.As(err, &length) || errors.Is(err, ErrWrongBlocks) ||
		errors.As(err, &status) && status.Code == http.StatusRequestedRangeNotSatisfiable
}

// IsDoubtful says whether err may be over soon at a server that had the target before:
// IsMismatch, or a reply that makes no sense (an HTML page, a wrong Content-Range).
func IsDoubtful(err error) bool {
	var odd *oddError
	return IsMismatch(err) || errors.As(err, &odd)
}

// oddError is a reply that makes no sense, of a candidate that was right before.
type oddError struct{ err error }

func (e *oddError) Error() string { return e.err.Error() }
func (e *oddError) Unwrap() error { return e.err }

// isOdd says whether err is about a reply, rather than about where it leads or who
// gives it.
func isOdd(err error) bool {
	var refused *refusal
	return errors.As(err, &refused) && !errors.Is(err, ErrForbiddenAddress) && !errors.Is(err, ErrClosed)
}

// refusal is an answer, URL or address that is not to be tried again soon.
type refusal struct {
	reason string // may be empty
	err    error
}

func (e *refusal) Error() string {
	if e.reason == "" {
		return e.err.Error()
	}
	return e.reason + ": " + e.err.Error()
}

func (e *refusal) Unwrap() error { return e.err }

func refuse(f string, args ...any) error { return &refusal{err: fmt.Errorf(f, args...)} }

// backoffError: the host's gate is shut and this caller does not wait for it.
type backoffError struct {
	host string
	err  error // the host's last failure
}

func (e *backoffError) Error() string { return e.host + " is failing: " + e.err.Error() }
func (e *backoffError) Unwrap() error { return e.err }

// SourceError: no candidate could serve.
type SourceError struct{ Candidates []CandidateError }

// CandidateError is why one candidate could not serve.
type CandidateError struct {
	// URL has neither query nor user information.
	URL string
	Err error
}

func (e *SourceError) Error() string {
	if len(e.Candidates) == 0 {
		return "the control file names no source"
	}
	parts := make([]string, len(e.Candidates))
	for i, c := range e.Candidates {
		parts[i] = fmt.Sprint(c.Err)
		if !strings.Contains(parts[i], c.URL) {
			parts[i] = c.URL + ": " + parts[i]
		}
	}
	return "no source can serve: " + strings.Join(parts, "; ")
}

// Unwrap gives the errors of the candidates.
func (e *SourceError) Unwrap() []error {
	out := make([]error, len(e.Candidates))
	for i, c := range e.Candidates {
		out[i] = c.Err
	}
	return out
}

// endedError joins what ended a wait with the last failure before it.
func endedError(ended, last error) error {
	if last == nil {
		return ended
	}
	return fmt.Errorf("%w; last failure: %w", ended, last)
}

// temporary says whether a failed try may succeed soon at the same place.
func temporary(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return temporaryStatus(status.Code)
	}
	var refused *refusal
	var parse *format.ParseError
	var short *format.ShortError
	var length *LengthError
	if errors.As(err, &refused) || errors.As(err, &parse) || errors.As(err, &short) || errors.As(err, &length) ||
		errors.Is(err, ErrForbiddenAddress) || errors.Is(err, ErrTargetChanged) ||
		errors.Is(err, ErrNotModified) || errors.Is(err, ErrClosed) {
		return false
	}
	return !certificateFault(err)
}

func temporaryStatus(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return code >= 500
}

func certificateFault(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

// Redact is u as texts, logs and attributes may show it: without query, fragment
// and user information, which may be secrets, and at most 500 bytes long.
func Redact(u *url.URL) string {
	if u == nil {
		return "(no URL)"
	}
	v := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath, Opaque: u.Opaque}
	s := v.String()
	if len(s) > 500 {
		s = s[:500] + "..."
	}
	return s
}
