package page

import (
	"net"
	"net/http"
	"strings"
)

// policy permits what is embedded, and nothing from elsewhere.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// requestLimit is the longest body of a request, in bytes.
const requestLimit = 64 << 10

// guarded lets through what comes from a page of this server, or from no page at all.
func guarded(address string, next http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection().Handler(http.MaxBytesHandler(next, requestLimit))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !allowedHost(r.Host, address) {
			http.Error(w, "this page is not served under that name: use the address that it listens on, or localhost", http.StatusMisdirectedRequest)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// allowedHost says whether a page may be asked for as host, when it listens on address.
// Names could be made to lead here by others (DNS rebinding), so only localhost and
// addresses are allowed.
func allowedHost(host, address string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), "80"
	}
	at, ours, err := net.SplitHostPort(address)
	if err != nil || port != ours {
		return false
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, listening := net.ParseIP(name), net.ParseIP(at)
	return ip != nil && listening != nil && (ip.Equal(listening) || listening.IsUnspecified())
}
