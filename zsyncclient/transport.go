package zsyncclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// newTransport is a transport with o's TLS options, which dials by dial. It has
// no limit of connections: the hosts' gates keep it, because they know that a
// control file's request must never wait for a data request that waits for it.
func newTransport(o Options, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (*http.Transport, error) {
	conf, err := tlsConfig(o)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			right, _ := r.Context().Value(dialRightKey{}).(dialRight)
			return right.proxy, nil
		},
		DialContext:            dial,
		TLSClientConfig:        conf,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           4 * o.MaxConnsPerHost,
		MaxIdleConnsPerHost:    o.MaxConnsPerHost,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
	if n := max(o.LimitRate, leastWindow); o.LimitRate > 0 && n < maxWindow {
		t.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: int(n)}
	}
	return t, nil
}

// Bounds of how much of a body net/http takes from an HTTP/2 server before anybody
// reads it, in bytes: with a limit, a second's worth of that. (A whole connection
// keeps its window, far more than the streams have: a body that waits must not
// stop the others. HTTP/1.1 has TCP's window, which grows with what is read.)
const (
	leastWindow = 64 << 10
	maxWindow   = 4 << 20 // which is net/http's own
)

func tlsConfig(o Options) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure}
	if o.CACert != "" {
		pem, err := os.ReadFile(o.CACert)
		if err != nil {
			return nil, fmt.Errorf("CA certificate: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA certificate: %s holds no PEM certificate", o.CACert)
		}
		conf.RootCAs = pool
	}
	if (o.ClientCert == "") != (o.ClientKey == "") {
		return nil, errors.New("a client certificate and its key must be given together")
	}
	if o.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		// Every server may ask for one; redirects and control files lead to any server.
		conf.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if right, _ := asked.Context().Value(dialRightKey{}).(dialRight); right.origin {
				return &pair, nil
			}
			return new(tls.Certificate), nil // none
		}
	}
	return conf, nil
}
