package outage

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// Half is a proxy that can leave requests without an answer, but for those of some
// paths. Safe for concurrent use.
type Half struct {
	server *httptest.Server
	pass   func(path string) bool

	mu   sync.Mutex
	held chan struct{} // closed at the end of Hold; nil: all are answered; guarded by mu
}

// Proxy is a Half of the server at http://host:port, until the end of the test. Requests
// whose path passes are always answered.
func Proxy(t testing.TB, server string, pass func(path string) bool) *Half {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	h := &Half{pass: pass}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusBadGateway) // who asked went away, mostly
	}
	h.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.wait(r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		h.Release()
		h.server.Close()
	})
	return h
}

// URL is that of a path, which begins with a slash.
func (h *Half) URL(path string) string { return h.server.URL + path }

// Hold has only requests answered whose path passes, until Release.
func (h *Half) Hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = make(chan struct{})
	}
}

// Release ends Hold, also for requests that came during it.
func (h *Half) Release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held != nil {
		close(h.held)
		h.held = nil
	}
}

// wait returns when r may be answered; false when who asked went away.
func (h *Half) wait(r *http.Request) bool {
	h.mu.Lock()
	held := h.held
	h.mu.Unlock()
	if held == nil || h.pass(r.URL.Path) {
		return true
	}
	select {
	case <-held:
		return true
	case <-r.Context().Done():
		return false
	}
}
