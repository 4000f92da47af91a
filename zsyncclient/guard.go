package zsyncclient

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"golang.org/x/net/idna"
)

// forbiddenPrefixes are the ranges that no control file, listing or redirect
// may lead to, beside those that netip has methods for.
var forbiddenPrefixes = parsePrefixes(
	"0.0.0.0/8",        // "this" network
	"100.64.0.0/10",    // carrier-grade NAT; a cloud's metadata service lies in it
	"168.63.129.16/32", // a cloud's platform service
	"192.0.0.0/24",     // protocol assignments
	"198.18.0.0/15",    // benchmarks
	"240.0.0.0/4",      // reserved, and broadcast
	"::/96",            // IPv4-compatible
	"64:ff9b:1::/48",   // local NAT64
	"100::/64",         // discard
	"2001::/32",        // Teredo
	"fec0::/10",        // site-local
)

// Prefixes whose addresses hold an IPv4 address from the given byte on.
var embeddingPrefixes = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4
}

func parsePrefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// forbidden says whether a is of a kind that only the user may name.
func forbidden(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		// IsGlobalUnicast is false for loopback, link-local, multicast,
		// unspecified and broadcast.
		return true
	}
	for _, e := range embeddingPrefixes {
		if e.prefix.Contains(a) {
			b := a.As16()
			return forbidden(netip.AddrFrom4([4]byte(b[e.at : e.at+4])))
		}
	}
	for _, p := range forbiddenPrefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// dialRight is what the request that asks for a connection may dial. The
// transport keeps a request's context values when it dials.
type dialRight struct {
	trusted bool     // the URL's host and port are an origin's
	origin  bool     // its scheme as well: it gets the client certificate
	proxy   *url.URL // nil: none
}

type dialRightKey struct{}

// guardedDial dials addr; unless the user named it, or it is the proxy from the
// environment, the address is checked after the name was resolved.
func guardedDial(ctx context.Context, network, addr string) (net.Conn, error) {
	right, _ := ctx.Value(dialRightKey{}).(dialRight)
	d := net.Dialer{}
	if !right.trusted && right.proxy == nil {
		d.ControlContext = refuseForbidden
	}
	return d.DialContext(ctx, network, addr)
}

// refuseForbidden is a net.Dialer.ControlContext; address is an IP and a port.
func refuseForbidden(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || forbidden(ap.Addr()) {
		return &refusal{reason: "address " + address, err: ErrForbiddenAddress}
	}
	return nil
}

// checkLiteral refuses u when its host is an address of a forbidden kind or a
// name for one; needed where a proxy resolves names, cheap elsewhere.
func checkLiteral(u *url.URL) error {
	host, err := asciiHost(u)
	if err != nil {
		return err
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return &refusal{reason: "host " + host, err: ErrForbiddenAddress}
	}
	if a, err := netip.ParseAddr(host); err == nil && forbidden(a) {
		return &refusal{reason: "address " + host, err: ErrForbiddenAddress}
	}
	return nil
}

// checkURL refuses what is never requested by anybody.
func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return refuse("scheme %q is not http or https", shorten(u.Scheme))
	}
	if u.Opaque != "" || u.Host == "" || u.Hostname() == "" {
		return refuse("URL without a host")
	}
	if strings.Count(u.Host, ":") > 1 && u.Host[0] != '[' {
		return refuse("host %q with more than one colon", shorten(u.Host))
	}
	host, err := asciiHost(u)
	if err != nil {
		return err
	}
	return checkNumericHost(host)
}

// asciiHost is u's host as it is asked for: in lower case, without a dot at its end, and in
// ASCII, to which other letters and digits are mapped before a name is resolved or a proxy
// is told of it.
func asciiHost(u *url.URL) (string, error) {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if strings.IndexFunc(host, func(r rune) bool { return r >= 0x80 }) < 0 {
		return host, nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return "", refuse("host %q is no name", shorten(host))
	}
	return strings.TrimSuffix(ascii, "."), nil
}

// checkNumericHost refuses spellings of IPv4 addresses that only some
// programs understand (0x7f.1, 2130706433): they serve to get past checks.
func checkNumericHost(host string) error {
	if strings.Contains(host, ":") {
		return nil
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	numeric := last != "" && strings.Trim(last, "0123456789") == ""
	if hex, ok := strings.CutPrefix(last, "0x"); ok && strings.Trim(hex, "0123456789abcdef") == "" {
		numeric = true
	}
	if !numeric {
		return nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return refuse("host %q is a number but no address", shorten(host))
	}
	return nil
}

// shorten cuts a text from outside for an error text.
func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

// hostPort is u's host in lower case with its port, the default one if none.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// originKey is what credentials are bound to.
func originKey(u *url.URL) string { return fmt.Sprintf("%s://%s", u.Scheme, hostPort(u)) }
