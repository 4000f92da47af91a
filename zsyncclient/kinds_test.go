package zsyncclient

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
)

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want ErrorKind
	}{
		{io.ErrClosedPipe, KindOther},
		{&net.OpError{Op: "dial", Err: &net.DNSError{}}, KindName},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, KindConnect},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, KindReset},
		{io.ErrUnexpectedEOF, KindReset},
		{io.EOF, KindReset},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, KindTLS},
		{tls.RecordHeaderError{}, KindTLS},
		{ErrStalled, KindTimeout},
		{&StatusError{Code: 404}, KindClient},
		{&StatusError{Code: 503}, KindServer},
		{refuse("an HTML page"), KindReply},
		{&LengthError{Want: 1, Got: 2}, KindReply},
		{&WrongBlockError{}, KindBlocks},
		{&refusal{err: ErrForbiddenAddress}, KindAddress},
	} {
		if got := kindOf(fmt.Errorf("fetch: %w", tt.err)); got != tt.want {
			t.Errorf("%v is of the kind %v, want %v", tt.err, got, tt.want)
		}
	}
	seen := map[string]bool{}
	for _, k := range ErrorKinds() {
		if seen[k.String()] || k.String() == "" {
			t.Errorf("kind %d: %q", k, k)
		}
		seen[k.String()] = true
	}
}
