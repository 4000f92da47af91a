package zsyncclient

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// ErrorKind says roughly why a try failed.
type ErrorKind int

// The kinds of errors.
const (
	KindOther   ErrorKind = iota
	KindName              // the host's name leads nowhere
	KindConnect           // nobody takes the connection
	KindTLS               // certificate, or no TLS at all
	KindTimeout           // no answer, or none that goes on
	KindReset             // the connection ended in the middle
	KindClient            // status 4xx: login, missing, too many requests
	KindServer            // status 5xx
	KindReply             // a reply that makes no sense, or another length
	KindBlocks            // bytes that are not the target's
	KindAddress           // an address that nobody may be led to
	kindCount
)

// ErrorKinds are all of them.
func ErrorKinds() (out []ErrorKind) {
	for k := range kindCount {
		out = append(out, k)
	}
	return out
}

// String is a word for k.
func (k ErrorKind) String() string {
	return [kindCount]string{"other", "name", "connect", "tls", "timeout", "reset", "client", "server", "reply", "blocks", "address"}[k]
}

// kindOf is the kind of an error of a try.
func kindOf(err error) ErrorKind {
	var status *StatusError
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var operation *net.OpError
	var length *LengthError
	var odd *oddError
	var refused *refusal
	switch {
	case errors.Is(err, ErrForbiddenAddress):
		return KindAddress
	case errors.Is(err, ErrWrongBlocks):
		return KindBlocks
	case errors.As(err, &status) && status.Code < 500:
		return KindClient
	case errors.As(err, &status):
		return KindServer
	case errors.As(err, &dns):
		return KindName
	case certificateFault(err), errors.As(err, &record):
		return KindTLS
	case errors.Is(err, ErrStalled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return KindTimeout
	case errors.As(err, &operation) && operation.Op == "dial":
		return KindConnect
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.As(err, &operation), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return KindReset
	case errors.As(err, &length), errors.As(err, &odd), errors.As(err, &refused):
		return KindReply
	}
	return KindOther
}
